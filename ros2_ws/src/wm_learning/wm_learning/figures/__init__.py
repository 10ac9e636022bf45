"""Held-out figures of a model while it is trained."""
