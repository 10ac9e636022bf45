"""Belief filter, imagined futures and prediction error of the world model."""
