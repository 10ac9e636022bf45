"""What came of a task in a scene, by the truth."""

from dataclasses import dataclass

import numpy as np

from wm_core.goal import Goal
from wm_core.rotations import uprightness
from wm_core.scene import SceneState
from wm_sim.scene_task import SceneTask

FALLEN = 0.3  # [rad] by which what stood may be tilted


@dataclass(frozen=True)
class Verdict:
    """Of the scene when all is done."""

    met: bool  # all goals, within the task's tolerances, and nothing else disturbed
    distance: float  # [m] of the goal
    others: float  # [m] that what has no goal moved at most
    tilted: float  # [rad] the largest tilt of what stood


def judge(task: SceneTask, goal: Goal, start: np.ndarray, scene: SceneState) -> Verdict:
    """`start` (K, 2) [m]: where the objects of the task were, in its order, which is the scene's."""
    goals = goal.parts
    wanted = {each.identity for each in goals}  # type: ignore[attr-defined]
    others = [slot for slot, name in enumerate(scene.identities) if name not in wanted]
    moved = np.linalg.norm(scene.position[:, :2] - start, axis=1)
    farthest = float(moved[others].max()) if others else 0.0
    stood = [slot for slot, spec in enumerate(task.objects) if not spec.toppled]
    tilted = float(np.arccos(np.clip(uprightness(scene.rotation)[stood].min(), -1, 1))) if stood else 0.0
    met = all(bool(each.reached(scene)) for each in goals) and farthest <= task.success.others and tilted < FALLEN
    return Verdict(met, float(goal.distance(scene)), farthest, tilted)
