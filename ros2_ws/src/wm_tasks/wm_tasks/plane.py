"""What scripts for pushing need to know of a task: they move the tool in the plane of the table."""

from wm_core.task import Task

WRITTEN_FOR = 0.1  # [s] control period that the numbers of scripts are meant for


def plane_scale(task: Task, who: str) -> float:
    """[m] that an action of length 1 moves the tool in x and y; raises TaskError for a task with other axes or two scales.

    `who`: field of the task that needs it.
    """
    if task.action.axes != ("x", "y") or len(set(task.action.scale.values())) > 1:
        raise task.error(
            who, f"expected actions along x and y with one scale for '{who}', got {dict(task.action.scale)}"
        )
    return task.action.scale["x"]


def period_share(task: Task) -> float:
    """The task's control period over the one that the numbers of scripts are meant for: so much of them happens in a step."""
    return task.step_duration / WRITTEN_FOR
