"""Bag files: reading any rosbag2 recording, writing one that survives a kill, repairing a broken one."""
