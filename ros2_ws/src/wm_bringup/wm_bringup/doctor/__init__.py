"""`wm doctor --live`: what is wrong with running topics, and what to do."""
