"""Where cameras stand: a printed board that the arm holds, its poses, the solution and how far to trust it."""
