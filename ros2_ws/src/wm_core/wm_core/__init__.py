"""What several wm packages share: bundles, camera rigs, kinematics, and the base class of all nodes."""
