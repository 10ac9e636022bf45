"""The gate: what a bundle must show before robots run it, and its promotion."""
