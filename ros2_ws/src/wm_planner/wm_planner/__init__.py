"""Plans in the world model's imagination and commands tool motion."""
