"""LeRobot datasets, v3.0: written from bags, and read into datasets of wm."""
