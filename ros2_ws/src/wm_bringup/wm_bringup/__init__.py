"""Starts wm: launch files and the embedded runner, lifecycle bring-up, episodes with reports."""
