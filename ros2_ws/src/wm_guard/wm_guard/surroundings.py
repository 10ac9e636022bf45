"""What is around the arm, as far as the guard knows it, and how that slows it down: its own links, the table, objects, people."""

from collections.abc import Sequence

import numpy as np

from wm_core.kinematics import Kinematics
from wm_guard.collisions import TABLE, Box, Collisions
from wm_guard.limits import Limits, Refusal
from wm_guard.people import People

LEAST = 0.02  # share of the speed below which the arm stays where it is
UNKNOWN_SIZE = 0.06  # [m] of an object of which no size is known
SPREAD = 2.0  # standard deviations by which an object may be elsewhere
LARGEST = 0.3  # [m] an object that is less sure than this is nowhere in particular


class Surroundings:
    """Reasons to go slower, for `Arm.slowing`. `people`: see People."""

    def __init__(
        self, kinematics: Kinematics, limits: Limits, people: People, margin: float = 0.01, table_margin: float = 0.003
    ) -> None:
        """`margin`, `table_margin` [m]: see Collisions. Raises what Collisions raises."""
        self.people = people
        self._collisions = Collisions(kinematics, margin=margin, table_margin=table_margin)
        self._fastest = limits.fastest_tool
        self._now_ns = 0

    def believe(self, names: Sequence[str], poses: Sequence[np.ndarray], sizes: np.ndarray, stds: np.ndarray) -> None:
        """The objects that there are: names, poses (4, 4) in the table frame, `sizes` (K, 3) [m] and `stds` (K, 3) [m] of their positions,
        NaN or 0 where they are not known.
        """
        sizes = np.where(np.isfinite(sizes) & (sizes > 0), sizes, UNKNOWN_SIZE)
        wide = sizes + 2 * SPREAD * np.nan_to_num(stds, nan=0.0)
        self._collisions.place(
            [
                Box(name, pose, size)
                for name, pose, size in zip(names, poses, wide, strict=True)
                if np.isfinite(pose).all() and size.max() < LARGEST
            ]
        )

    def collision(self, start: np.ndarray, end: np.ndarray) -> float:
        """Share of the speed on the way from joints `start` to `end` (n,) [rad], where the arm would rest; raises Refusal."""
        found = self._collisions.approach(start, (start + end) / 2, end)
        if found.scale < LEAST:
            first, second = found.bodies
            reason = "table" if second == TABLE else "collision"
            raise Refusal(reason, f"{first} would come within {1000 * found.distance:.0f} mm of {second}")
        return found.scale

    def at(self, now_ns: int) -> None:
        """The time for which `person` answers."""
        self._now_ns = now_ns

    def person(self, start: np.ndarray, end: np.ndarray) -> float:
        """Share of the fastest tool speed that the distance of people allows; raises Refusal where that is nothing."""
        if why := self.must_hold(self._now_ns):
            raise Refusal("person", why)
        return min(1.0, self.people.allowed_speed(self._now_ns)[0] / self._fastest)

    def must_hold(self, now_ns: int) -> str:
        """Why a moving arm must be held without waiting for the next command; empty: it need not."""
        speed, why = self.people.allowed_speed(now_ns)
        return why if speed < LEAST * self._fastest else ""
