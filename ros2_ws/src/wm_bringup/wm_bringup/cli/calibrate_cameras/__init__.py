"""Find out where the cameras stand, with a printed board that the arm holds.

In order: `board` prints it, `take` moves the arm through poses and keeps what the cameras see, `solve` solves, judges and writes the
rig. Later, `refine` puts right a camera that was bumped, without a board. docs/calibration.md has all of it.
"""
