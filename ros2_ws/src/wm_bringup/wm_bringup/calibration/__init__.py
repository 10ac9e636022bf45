"""Calibrating cameras on a robot: its topics, moving it through poses, and recordings of it."""
