"""Scripted experts: they do a task on the true state, to compare with. One file each, registered by the name that a task gives."""

from typing import Any, Protocol

import numpy as np

from wm_core.parts import Parts
from wm_core.task import Task


class Expert(Protocol):
    """Does the task."""

    def __call__(self, tool: np.ndarray, target: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Action (A,) for commanded tool position, object position and goal, each (2,) [m]."""


EXPERTS: Parts[Any] = Parts("expert", "wm_tasks.experts")


def make_expert(task: Task) -> Expert:
    """The task's scripted expert; raises TaskError for a task without one, or an unknown one."""
    if task.expert is None:
        raise task.error("expert", "expected a scripted expert to compare with, found none; name one")
    return EXPERTS.make(task, task.expert.name, task.expert.options, "expert", task=task)
