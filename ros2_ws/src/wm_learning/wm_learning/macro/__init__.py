"""A macro predictor for a bundle of any family: jumps over several steps at once, so that long horizons cost less."""
