"""What the robot is asked to do: episodes, exploration, scripted baselines, the closed loop in one process, the report of a run."""
