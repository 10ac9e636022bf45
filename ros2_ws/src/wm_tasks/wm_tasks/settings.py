"""Facts of the task that collection and learning share; see docs/architecture.md."""

import numpy as np

from wm_core.kinematics import REACH_LOWER, REACH_UPPER

REACH_BOX = np.array([REACH_LOWER, REACH_UPPER])  # [m] where the tool may be commanded
OBJECT_REGION = np.array([[0.38, -0.20], [0.62, 0.20]])  # [m] where objects start and goals lie
ACTION_SCALE = 0.03  # [m] per step
STEP_NS = 100_000_000
PHYSICS_PER_STEP = 24  # 240 Hz
TRAINING_SEEDS = 10_000  # seeds below this are for training and validation; tests and benchmarks use those from it on
