"""Records, replays, checks and repairs rosbag2 bags; reads bags of anyone's making."""
