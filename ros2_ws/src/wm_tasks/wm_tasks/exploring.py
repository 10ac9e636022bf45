"""What an explorer does next: explore, bring the object back, wait, or get help. Pure: no ROS, no clock of its own."""

import enum
from dataclasses import dataclass

import numpy as np

from wm_core.task import ExploringRegions

LOST_S = 8.0  # [s] unseen, though the tool has backed off by itself
RETURN_S = 10.0  # [s] for bringing the object back
RETURN_TOLERANCE = 0.04  # [m]: anywhere in the middle will do, and an unknown object is hard to place
NEW_PLACE = 0.2  # share of the explorations before which the object is brought to a new place
MOST_RETURNS = 5  # in a row without the object in the middle, then it is lost
LONGEST_PAUSE_S = 30.0  # [s] between two goals that are refused
REST_S = 1.0  # [s] between two looks at an emergency stop


class Kind(enum.Enum):
    EXPLORE = "explore"
    RETURN = "return"
    RESCUE = "rescue"
    PAUSE = "pause"


@dataclass(frozen=True)
class Order:
    """What to do now."""

    kind: Kind
    seconds: float = 0.0  # of robot time, at most
    xy: np.ndarray | None = None  # (2,) [m] of a return
    reason: str = ""


@dataclass(frozen=True)
class Scene:
    """What is known now."""

    object_xy: np.ndarray  # (2,) [m] believed
    unseen_s: float
    stopped: bool  # emergency stop


class ExplorerCore:
    """Alternates exploring and bringing back.

    Ask `next` when nothing is pursued, `breaks_off` while something is; tell `ended` or `refused` what came of it.
    """

    def __init__(self, regions: ExploringRegions, seed: int, explore_s: float) -> None:
        """`regions`: of the task. `explore_s` [s]: one exploration."""
        self._regions = regions
        self._rng = np.random.default_rng(seed)
        self._explore_s = explore_s
        self._refusals = 0  # in a row
        self._pause_s = 0.0  # before the next goal
        self._returns = 0  # in a row that have not helped
        self._explored = False  # since the object was brought to a new place

    def next(self, scene: Scene) -> Order:
        """What to do in a scene."""
        if scene.stopped:
            return Order(Kind.PAUSE, REST_S, reason="emergency stop: reset it with wm/e_stop_reset")
        if self._pause_s:
            pause, self._pause_s = self._pause_s, 0.0
            return Order(Kind.PAUSE, pause, reason=f"goals refused: {self._refusals} in a row")
        if lost := self._lost(scene):
            return Order(Kind.RESCUE, reason=lost)
        if self._regions.strayed.contains(scene.object_xy):
            self._returns = 0
            if not self._explored or self._rng.random() > NEW_PLACE:
                return Order(Kind.EXPLORE, self._explore_s)
        elif self._returns >= MOST_RETURNS:
            return Order(Kind.RESCUE, reason=f"{self._returns} tries to bring the object back have failed")
        return Order(Kind.RETURN, RETURN_S, self._rng.uniform(*self._regions.middle.corners))

    def breaks_off(self, order: Order, scene: Scene) -> str:
        """Why to break off what is being pursued; empty: go on."""
        if order.kind is Kind.EXPLORE and not self._regions.strayed.contains(scene.object_xy):
            return "the object strays"
        return self._lost(scene)

    def ended(self, order: Order) -> None:
        """A goal was accepted and is over, whatever came of it: the next scene tells."""
        self._refusals = 0
        self._explored = order.kind is Kind.EXPLORE
        self._returns += order.kind is Kind.RETURN

    def refused(self) -> None:
        """A goal was not accepted, or given up before it began to move anything."""
        self._refusals += 1
        self._pause_s = min(LONGEST_PAUSE_S, 2.0 ** (self._refusals - 1))

    def rescued(self) -> None:
        """Somebody, or the simulator, has put the object back."""
        self._returns = 0

    def _lost(self, scene: Scene) -> str:
        """Why the robot cannot help itself; empty: it can."""
        if scene.unseen_s > LOST_S:
            return f"the object has not been seen for {scene.unseen_s:.0f} s"
        if not self._regions.lost.contains(scene.object_xy):
            x, y = scene.object_xy
            return f"the object is out of reach, at ({x:.2f}, {y:.2f})"
        return ""
