"""Keeps the nodes of a graph running."""
