"""Robots as data, and the commands that check and propose their profiles."""
