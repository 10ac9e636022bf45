"""Limits as parameters of the guard's node, with what the robot's profile says where they are not given."""

from wm_core.follow_params import FOLLOW
from wm_core.lifecycle import WmNode
from wm_core.params import ConfigError, Param
from wm_core.robot import RobotProfile
from wm_guard.limits import Limits

PARAMETERS = (
    Param("position_margin", Limits.position_margin, "[rad] Kept free at both ends of every joint's range", 0.0, 0.5),
    Param("velocity_scale", Limits.velocity_scale, "Share of the URDF's joint velocity limits", 0.01, 1.0),
    Param("tool_speed", 0.0, "[m/s] Fastest tool; 0: as the robot's profile says", 0.0, 2.0),
    Param(
        "workspace_min",
        [0.0, 0.0, 0.0],
        "[m] Lowest x, y, z of the tool; with workspace_max 0: the profile's",
        -2.0,
        2.0,
    ),
    Param("workspace_max", [0.0, 0.0, 0.0], "[m] Highest x, y, z of the tool", -2.0, 2.0),
    Param("max_jump", Limits.max_jump, "[rad] First point to the measured joint, any joint", 0.01, 1.0),
    Param("max_age", Limits.max_age, "[s] Oldest measurement that a command may answer", 0.02, 1.0),
    Param("timeout", Limits.timeout, "[s] Without command until the arm is held", 0.02, 1.0),
    Param(
        "joint_timeout",
        Limits.joint_timeout,
        "[s] Without joint state until the arm is held; three periods of these where that is longer",
        0.02,
        1.0,
    ),
    Param("watchdog_period", Limits.watchdog_period, "[s] Between two looks of the watchdog", 0.001, 0.1),
    *FOLLOW,
    Param("acceleration_scale", Limits.acceleration_scale, "Share of acceleration and jerk limits", 0.01, 1.0),
    Param("smoothing", Limits.smoothing, "[s] Over which the velocity changes", 0.01, 0.5),
    Param("speed_limit", Limits.speed_limit, "[m/s] Of the tool, below tool_speed; 0: none", 0.0, 2.0),
    Param("stop_category", Limits.stop_category, "Of the emergency stop: 1 slows down, 0 stops at once", 0, 1),
    Param("singularity_slow", Limits.singularity_slow, "Condition number above which the arm is slowed", 1.0, 1e6),
    Param("singularity_stop", Limits.singularity_stop, "Condition number at which it goes no further", 1.0, 1e6),
)


def limits_of(node: WmNode, robot: RobotProfile) -> Limits:
    """Raises ConfigError for values that contradict each other."""
    values = {name: node.value(name) for name in Limits.__dataclass_fields__}
    values["tool_speed"] = values["tool_speed"] or robot.tool_speed
    if not any(values["workspace_min"] + values["workspace_max"]):
        values["workspace_min"], values["workspace_max"] = (
            robot.workspace.lower.tolist(),
            robot.workspace.upper.tolist(),
        )
    for corner in ("workspace_min", "workspace_max"):
        if len(values[corner]) != 3:
            raise ConfigError(f"parameter '{corner}': expected x, y, z, got {values[corner]}")
        values[corner] = tuple(values[corner])
    if any(low >= high for low, high in zip(values["workspace_min"], values["workspace_max"], strict=True)):
        low, high = values["workspace_min"], values["workspace_max"]
        raise ConfigError(f"expected workspace_min below workspace_max, got {low} and {high}")
    if values["singularity_slow"] >= values["singularity_stop"]:
        raise ConfigError(
            f"expected singularity_slow below singularity_stop, got {values['singularity_slow']} and"
            f" {values['singularity_stop']}"
        )
    for timeout in ("timeout", "joint_timeout"):
        if values["watchdog_period"] >= values[timeout]:
            raise ConfigError(
                f"expected watchdog_period below {timeout}, got {values['watchdog_period']} and {values[timeout]}"
            )
    return Limits(**values)
