"""Parameters of which joint states are believed; guard and planner have the same."""

from wm_core.joint_states import CONFIRM, LAG, TOLERANCE
from wm_core.params import Param

FOLLOW = (
    Param("follow_tolerance", TOLERANCE, "[rad] A joint measured farther from its command is doubted", 0.001, 0.5),
    Param("follow_lag", LAG, "[s] That the arm may be behind its commands", 0.0, 1.0),
    Param("confirm_time", CONFIRM, "[s] Of unexpected joint states that agree until they are believed", 0.1, 10.0),
)
