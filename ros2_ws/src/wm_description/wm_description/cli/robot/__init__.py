"""Robots as data: list those that are shipped, check a profile, propose one for a URDF."""
