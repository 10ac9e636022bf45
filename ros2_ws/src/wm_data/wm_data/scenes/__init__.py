"""Scenes of several objects as data: where everything was at each step, from the simulator's truth."""
