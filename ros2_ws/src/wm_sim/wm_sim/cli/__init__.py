"""Verbs of the command line: wm_core/command_line.py finds them."""
