"""Notices that the arm does not do what it is asked to: the tool is at the edge of what the arm reaches."""

import numpy as np

UNMOVED = 1e-4  # [m, rad] of a tool that stands
ASKED = 10 * UNMOVED  # [m, rad] of a displacement that would be seen
CYCLES = 4  # of a tool that stands, after which the arm cannot go on
BESIDE = 0.12  # [m] within which the hand gives way to what it pushes
STEP = 0.02  # [m] out of where the arm does not get on


class Stall:
    """Counts the cycles in which the tool stood though it was asked to move."""

    def __init__(self) -> None:
        self._asked, self._was, self._count = np.zeros(6), np.full(6, np.inf), 0

    def noticed(self, tool: np.ndarray, move: np.ndarray) -> bool:
        """Whether it is so for some cycles, with a displacement (6,) that is asked for again; then it counts anew."""
        still = np.abs(tool - self._was).max() < UNMOVED and np.abs(self._asked).max() > ASKED
        self._count = self._count + 1 if still and np.abs(move).max() > ASKED else 0
        if self._count < CYCLES:
            return False
        self._count = 0
        return True

    def remember(self, tool: np.ndarray, move: np.ndarray) -> None:
        """What is asked for now: a displacement (6,) of the tool, whose state is (6,)."""
        self._asked, self._was = move, tool


def way_out(
    tool: np.ndarray, beside: np.ndarray | None, lower: np.ndarray, upper: np.ndarray, *, up: bool
) -> np.ndarray:
    """A displacement (6,): `up`, as the tool (6,) leans, for what it stands beside would be knocked over; else away from the object at
    `beside` (2,), or where none is near, towards the middle of the bounds (6,) of tool states.
    """
    away = np.zeros(6)
    if up:
        away[2] = STEP
        return away
    way = (lower[:2] + upper[:2]) / 2 - tool[:2]
    if beside is not None and np.linalg.norm(tool[:2] - beside) < BESIDE:
        way = tool[:2] - beside
    away[:2] = STEP * way / max(float(np.linalg.norm(way)), STEP)
    return away
