"""Where two fingers can hold an object that is known by its outline: an antipodal library, made once for each object."""

from dataclasses import dataclass

import numpy as np

from wm_core.hand import Hand
from wm_core.outline import distance, span

TURNS = 12  # yaws over half a turn, after which the hand looks the same
ASIDE = 5  # lines for each of them, across the object
ROOM = 0.004  # [m] between each open finger and the object
STEEPEST = np.tan(np.radians(24))  # of a face under a finger: steeper ones slip
OFF_MIDDLE = 0.5  # [m] per [m]: what a grasp away from the middle costs


@dataclass(frozen=True)
class Grasp:
    """`place` (2,) [m] between the fingers and `yaw` [rad] of the hand, in the object's frame; `width` [m] that is held."""

    place: np.ndarray
    yaw: float
    width: float
    doubt: float  # [m] how much worse than one through the middle of flat faces


def library(outline: np.ndarray, hand: Hand) -> list[Grasp]:
    """Grasps of an outline (P, 2) [m] from above, the best first; none for a hand that does not open or what is too wide for it."""
    if not hand.grips:
        return []
    found = []
    for psi in np.pi * np.arange(TURNS) / TURNS:
        along, across = np.array([np.cos(psi), np.sin(psi)]), np.array([-np.sin(psi), np.cos(psi)])
        reach = outline @ along
        for aside in np.linspace(reach.min(), reach.max(), ASIDE + 2)[1:-1]:
            grasp = _grasp(outline, hand, aside * along, float(psi), along, across)
            if grasp is not None:
                found.append(grasp)
    return sorted(found, key=lambda grasp: grasp.doubt)


def _grasp(
    outline: np.ndarray, hand: Hand, through: np.ndarray, psi: float, along: np.ndarray, across: np.ndarray
) -> Grasp | None:
    held = span(outline, through, across)
    if held is None:
        return None
    width = held[1] - held[0]
    if width > hand.opening[1] - 2 * ROOM or width < 0.004:
        return None
    half = 0.4 * hand.finger[0]
    beside = [span(outline, through + side * half * along, across) for side in (-1, 1)]
    if beside[0] is None or beside[1] is None:
        return None
    slope = max(abs(beside[1][end] - beside[0][end]) for end in (0, 1)) / (2 * half)
    if slope > STEEPEST:
        return None
    place = through + across * (held[0] + held[1]) / 2
    apart = width / 2 + ROOM + hand.finger[1] / 2
    corners = np.array([[x, y] for x in (-0.5, 0.0, 0.5) for y in (-0.5, 0.5)]) * hand.finger[:2]
    for side in (-1, 1):
        finger = place + side * apart * across + corners[:, :1] * along + corners[:, 1:] * across
        if (distance(finger, outline) < ROOM / 2).any():
            return None
    return Grasp(place, psi, width, float(np.linalg.norm(place)) * OFF_MIDDLE + 0.01 * slope)
