"""Learning in imagination: a compact policy, taught by the planner and improved inside the model's rollouts."""
