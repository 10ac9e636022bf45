"""LeRobot datasets, version v3.0: from bags, and to datasets of wm."""
