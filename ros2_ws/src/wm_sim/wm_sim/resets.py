"""Which trajectories were planned before the last reset: they would sweep the arm from its home back through the new scene."""

import time
from collections.abc import Sequence

import numpy as np

from wm_sim.controller import Point, TrajectoryError

UNDER_WAY = 1.0  # [s] after a reset in which trajectories that were planned before it may still come
ELSEWHERE = 0.2  # [rad] from home: where no trajectory begins that was planned right after a reset


class OutdatedError(TrajectoryError):
    """A trajectory that was planned before the reset."""


class Resets:
    """The last reset of an arm whose joints and home (n,) [rad] are given."""

    def __init__(self, joint_names: Sequence[str], home: np.ndarray) -> None:
        self._home = dict(zip(joint_names, home.tolist(), strict=True))
        self.happened(0)

    def happened(self, valid_from_ns: int) -> None:
        """Now; trajectories are valid whose stamp is not before `valid_from_ns`."""
        self._at = time.monotonic()
        self._valid_from_ns = valid_from_ns

    @property
    def recent(self) -> bool:
        """Whether trajectories that were planned before may still come."""
        return time.monotonic() - self._at < UNDER_WAY

    def check(self, names: Sequence[str], stamp_ns: int, points: Sequence[Point]) -> None:
        """Raises OutdatedError. A trajectory that starts at once, stamp 0, does not say when it was planned: it is known by where it
        begins.
        """
        outdated = 0 < stamp_ns < self._valid_from_ns
        if stamp_ns == 0 and points and self.recent:
            first = zip(names, points[0].positions, strict=False)
            outdated = any(abs(place - self._home.get(name, place)) > ELSEWHERE for name, place in first)
        if outdated:
            raise OutdatedError("expected a trajectory planned after the reset, this one answers an earlier frame")
