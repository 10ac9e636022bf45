"""Explorers: scripts that draw motions for collecting data. One file each, registered by the name that a task gives."""

from typing import Any, Protocol

import numpy as np

from wm_core.parts import Parts
from wm_core.task import Region, Task


class Explorer(Protocol):
    """Draws tool motions that show a model how the task's objects move."""

    def action(self, tool: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Action (A,) for the commanded tool position and the object's position `target`, both (2,) [m]."""


EXPLORERS: Parts[Any] = Parts("explorer", "wm_tasks.explorers")


def make_explorer(task: Task, reach: Region, rng: np.random.Generator) -> Explorer:
    """The task's explorer, within the tool's `reach`; raises TaskError for a task without one, or an unknown one."""
    if task.explorer is None:
        raise task.error("explorer", "expected an explorer for collecting data, found none; name one")
    return EXPLORERS.make(task, task.explorer.name, task.explorer.options, "explorer", task=task, reach=reach, rng=rng)
