"""Whole trainings from bags to a bundle; each goes on where it was killed."""
