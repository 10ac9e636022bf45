"""The task and the robot that collection, training and benchmarks share, and what follows from it; see docs/architecture.md."""

from wm_core.robot import load_robot
from wm_core.task import load_task
from wm_tasks.plane import plane_scale

TASK = load_task()
ROBOT = load_robot()
REACH = ROBOT.reach_region
REACH_BOX = REACH.corners  # (2, 2) [m] where the tool may be commanded
OBJECT_REGION = TASK.regions.practice.corners  # (2, 2) [m] where objects start and goals lie
ACTION_SCALE = plane_scale(TASK, "action")  # [m] per step
STEP_NS = TASK.step_ns
TRAINING_SEEDS = 10_000  # seeds below this are for training and validation; tests and benchmarks use those from it on
