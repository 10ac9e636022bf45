"""Whether a bundle, a task and a robot fit together; checked at start, refused by name."""

from wm_core.bundle import Bundle
from wm_core.task import Task

SAME = 1e-6  # [m, s] two numbers of files that mean the same


class FitError(ValueError):
    """Bundle, task and robot do not fit: names what differs and both sides of it."""


def check_fit(task: Task, bundle: Bundle) -> None:
    """Raise FitError unless a bundle can be planned with for a task: the same axes, scales and step duration.

    A bundle moves x and y by one common scale.
    """
    where = f"task '{task.name}' ({task.path}) and bundle '{bundle.id}' ({bundle.path}) do not fit"
    axes = ("x", "y")[: bundle.action_size]
    if len(axes) != bundle.action_size or task.action.axes != axes:
        raise FitError(
            f"{where}: action.axes: the task moves {', '.join(task.action.axes)}, the bundle {', '.join(axes)}; train a bundle"
            " for the task, or choose a task with the bundle's axes"
        )
    for axis, scale in task.action.scale.items():
        if abs(scale - bundle.action_scale) > SAME:
            raise FitError(
                f"{where}: action.axes.{axis}.scale: the task says {scale:g}, the bundle {bundle.action_scale:g} m in a step; set the"
                " task's scale to the bundle's, or train a bundle for the task"
            )
    if abs(task.step_duration - bundle.step_duration) > SAME:
        raise FitError(
            f"{where}: rate: the task says {task.rate:g} Hz, the bundle {1 / bundle.step_duration:g} Hz; set the task's rate to the"
            " bundle's, or train a bundle for the task"
        )
