"""Tasks in scenes of several objects: what is drawn, what shall become of it, when that counts as done, and the loop around it."""
