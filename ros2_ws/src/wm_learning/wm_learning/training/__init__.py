"""The machinery of training, the same for all families."""
