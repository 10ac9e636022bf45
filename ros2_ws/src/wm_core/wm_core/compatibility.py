"""Whether a bundle, a task and a robot fit together; checked at start, refused by name."""

from wm_core.bundle import Bundle
from wm_core.robot import RobotProfile
from wm_core.specs import UNITS
from wm_core.task import Task

SAME = 1e-6  # [m, s] two numbers of files that mean the same
LEVEL = 0.001  # [m] heights of the tool that do not differ
REACH_AXES = ("x", "y", "z", "yaw")  # of a robot's reach


class FitError(ValueError):
    """Bundle, task and robot do not fit: names what differs and both sides of it."""


def check_fit(task: Task, bundle: Bundle) -> None:
    """Raise FitError unless a bundle can be planned with for a task: the same axes, groups, scales and step duration."""
    where = f"task '{task.name}' ({task.path}) and bundle '{bundle.id}' ({bundle.path}) do not fit"
    axes, groups = bundle.action.axes, bundle.action.groups
    if task.action.axes != axes:
        raise FitError(
            f"{where}: action.axes: the task moves {', '.join(task.action.axes)}, the bundle {', '.join(axes)}; train a bundle"
            " for the task, or choose a task with the bundle's axes"
        )
    if {frozenset(group) for group in task.action.groups} != {frozenset(group) for group in groups}:
        raise FitError(
            f"{where}: action.groups: the task says {_listed(task.action.groups)}, the bundle {_listed(groups)}; set the task's groups to"
            " the bundle's, or train a bundle for the task"
        )
    if abs(task.step_duration - bundle.step_duration) > SAME:
        raise FitError(
            f"{where}: rate: the task says {task.rate:g} Hz, the bundle {1 / bundle.step_duration:g} Hz; set the task's rate to the"
            " bundle's, or train a bundle for the task"
        )
    for axis, scale in task.action.scale.items():
        its = bundle.action.scale[axis]
        if abs(scale - its) > SAME:
            raise FitError(
                f"{where}: action.axes.{axis}.scale: the task says {scale:g}, the bundle {its:g} {UNITS[axis]} in a step; set the"
                " task's scale to the bundle's, or train a bundle for the task"
            )


def check_robot(task: Task, robot: RobotProfile) -> None:
    """Raise FitError unless a robot can do a task: it moves the task's axes, at its tool's height, and reaches its goals."""
    where = f"task '{task.name}' ({task.path}) and robot '{robot.name}' ({robot.file}) do not fit"
    reach = dict(zip(REACH_AXES, zip(robot.reach.lower, robot.reach.upper, strict=True), strict=True))
    reach["pitch"] = robot.pitch
    for axis in task.action.axes:
        if axis == "grip" and robot.gripper is None:
            raise FitError(f"{where}: action.axes.grip: the task opens and closes a gripper, the robot has none")
        if axis != "grip" and (axis not in reach or not reach[axis][0] < reach[axis][1]):
            free = ", ".join(name for name, (low, high) in reach.items() if low < high)
            raise FitError(f"{where}: action.axes.{axis}: the robot's tool moves along {free} (its `reach`)")
    height = task.action.held.get("z", robot.tool.height)
    if abs(height - robot.tool.height) > LEVEL:
        raise FitError(
            f"{where}: action.held.z: the task holds the tool {height:g} m above the table, the robot's works at {robot.tool.height:g} m"
            " (its `tool.height`); make them the same"
        )
    for name, what in (("goals", "goals"), ("practice", "objects and goals")):
        region = getattr(task.regions, name)
        for axis, low, high in zip(region.axes, region.lower, region.upper, strict=True):
            if low < reach[axis][0] or high > reach[axis][1]:
                raise FitError(
                    f"{where}: regions.{name}.{axis}: {what} from {low:g} to {high:g} m, the robot reaches from {reach[axis][0]:g}"
                    f" to {reach[axis][1]:g} m; keep it within its reach"
                )


def _listed(groups: tuple[tuple[str, ...], ...]) -> str:
    return "; ".join(", ".join(group) for group in groups) or "none"
