"""What a bundle knows of its own errors: intervals and novelty, fitted to held-out data."""
