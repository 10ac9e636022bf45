"""Worlds of several objects as data: check a file, look at the starts that it draws."""
