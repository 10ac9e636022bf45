"""The way of a hand to where it shall begin: straight, by a detour, or over everything."""

from collections.abc import Sequence

import numpy as np

from wm_core.hand import OPENING, Hand
from wm_planner.scene.clearance import Prism, least_gap

STEP = 0.008  # [m] between the places of a way that are looked at
MARGIN = 0.008  # [m] that the hand keeps clear of objects on its way
DETOURS = 24
LONGEST = 0.3  # [m] of a detour
OVER = 0.02  # [m] above the highest object
CLOSE = np.array([0.004, 0.004, 0.004, 0.05, 0.05, 0.006])  # [m, rad] that is there


def route(
    hand: Hand,
    tool: np.ndarray,
    target: np.ndarray,
    prisms: Sequence[Prism],
    lower: np.ndarray,
    upper: np.ndarray,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """Tool states (6,) to go through, the target the last."""
    if _free(hand, [tool, target], prisms):
        return [target]
    level = min(tool[2], target[2])
    if level < 0.1:
        best: tuple[float, np.ndarray] | None = None
        for _ in range(DETOURS):
            via = target.copy()
            via[:2] = (tool[:2] + target[:2]) / 2 + rng.normal(0, 0.08, 2)
            length = float(np.linalg.norm(via[:2] - tool[:2]) + np.linalg.norm(target[:2] - via[:2]))
            inside = (via >= lower).all() and (via <= upper).all()
            shorter = best is None or length < best[0]
            if inside and length < LONGEST and shorter and _free(hand, [tool, via, target], prisms):
                best = length, via
        if best is not None:
            return [best[1], target]
    high = min(upper[2], max([prism.top for prism in prisms], default=0.0) + OVER + hand.reach_below)
    up, across = tool.copy(), target.copy()
    up[2], across[2] = max(high, tool[2]), max(high, target[2])
    return [up, across, target]


def next_move(tool: np.ndarray, target: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Displacement (6,) of a step towards a tool state: straight, as far as the limits allow in the slowest axis."""
    off = target - tool
    plane = np.linalg.norm(off[:2]) / limit[0]
    slowest = max(1.0, float(plane), float((np.abs(off[2:]) / limit[2:]).max()))
    return off / slowest


def grip(tool: np.ndarray, opening: float, limit: np.ndarray) -> np.ndarray:
    """Displacement (6,) of a step towards an opening [m] of the fingers."""
    move = np.zeros(6)
    move[OPENING] = np.clip(opening - tool[OPENING], -limit[OPENING], limit[OPENING])
    return move


def there(tool: np.ndarray, target: np.ndarray) -> bool:
    return bool((np.abs(target - tool) < CLOSE).all())


def _free(hand: Hand, way: Sequence[np.ndarray], prisms: Sequence[Prism]) -> bool:
    """Whether a hand on its way keeps its margin; where it begins it may be nearer, on the way out."""
    places = []
    for begin, end in zip(way[:-1], way[1:], strict=True):
        count = max(2, int(np.ceil(np.linalg.norm((end - begin)[:3]) / STEP)) + 1)
        places.append(begin + np.linspace(0, 1, count)[:, None] * (end - begin))
    every = np.concatenate(places)
    gaps = least_gap(hand, every, prisms, 2 * MARGIN)
    needed = np.full(len(gaps), MARGIN)
    far = np.linalg.norm(every[:, :3] - way[0][:3], axis=1)
    needed[far < 0.03] = min(MARGIN, float(gaps[0]) - 0.001)
    to_go = np.linalg.norm(every[:, :3] - way[-1][:3], axis=1)
    needed[to_go < 0.02] = np.minimum(needed[to_go < 0.02], min(MARGIN, float(gaps[-1]) - 0.001))
    return bool((gaps >= needed).all())
