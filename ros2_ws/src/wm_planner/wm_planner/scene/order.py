"""Which object comes next: one whose place is free, the nearest first; one that is in the way is put aside."""

from collections.abc import Sequence

import numpy as np

from wm_core.outline import turned
from wm_dynamics.scene_belief import SceneBelief
from wm_planner.scene.clearance import Prism
from wm_planner.scene.targets import TABLE, Aim, Target, clear_of

ROOM = 0.006  # [m] around a place
PARKED = 0.03  # [m] of tolerance of what is put aside
TRIES = 200
TURNS = np.pi * np.arange(8) / 4  # [rad] of a free yaw that are tried


def next_target(
    aim: Aim,
    belief: SceneBelief,
    margin: float,
    region: tuple[np.ndarray, np.ndarray],
    fixtures: Sequence[Prism] = (),
) -> Target | None:
    """None where no target is open. What shall stand on another waits for that one."""
    waiting = aim.open(belief, margin)
    if not waiting:
        return None
    unready = {target.slot for target in waiting}
    free = [target for target in waiting if target.on not in unready and not _blocking(target, aim, belief)]
    if free:
        return min(free, key=lambda target: (target.on != TABLE, float(target.off(belief.state))))
    for target in waiting:
        for other in _blocking(target, aim, belief):
            place = _aside(other, aim, belief, region, fixtures)
            if place is not None:
                return Target(other, place, tolerance=PARKED)
    return waiting[0]


def _blocking(target: Target, aim: Aim, belief: SceneBelief) -> list[int]:
    """Slots of the objects that stand on the target's object, and of those with a target that stand where it shall be."""
    if target.upright:
        return []
    mine = target.slot
    turns = (target.yaw,) if np.isfinite(target.yaw) else belief.yaw[mine] + TURNS
    wanted = [turned(belief.outline[mine], float(yaw)) + target.place for yaw in turns]
    bottom = target.rest_height(belief)
    found = []
    for other in range(belief.slots):
        if other in (mine, target.on) or not belief.present[other]:
            continue
        carried = (
            belief.bottom[other] > belief.top[mine] - 0.01
            and np.linalg.norm(belief.state[other, :2] - belief.state[mine, :2]) < belief.radius[mine]
        )
        level = belief.top[other] > bottom + 0.003 and belief.bottom[other] < bottom + belief.height[mine]
        stays = other in aim.kept  # goals on top of these were refused
        if carried or (level and not stays and all(_overlap(each, belief.footprint(other)) for each in wanted)):
            found.append(other)
    return found


def _aside(
    slot: int, aim: Aim, belief: SceneBelief, region: tuple[np.ndarray, np.ndarray], fixtures: Sequence[Prism]
) -> np.ndarray | None:
    """The nearest free place (2,) [m] that is nobody's target."""
    rng = np.random.default_rng(slot)
    lower, upper = region
    radius = belief.radius
    best: tuple[float, np.ndarray] | None = None
    for _ in range(TRIES):
        place = rng.uniform(lower + 0.02, upper - 0.02)
        clear = all(
            np.linalg.norm(place - belief.state[other, :2]) > radius[slot] + radius[other] + 0.01
            for other in range(belief.slots)
            if other != slot
        ) and all(
            np.linalg.norm(place - target.place) > radius[slot] + radius[target.slot] + 0.01
            for target in aim.targets
            if target.slot != slot and not target.upright
        )
        far = float(np.linalg.norm(place - belief.state[slot, :2]))
        clear = clear and clear_of(fixtures, place, float(radius[slot]) + 0.01)
        if clear and (best is None or far < best[0]):
            best = far, place
    return None if best is None else best[1]


def _overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two footprints (P, 2) come within ROOM of each other, by 16 lines that might separate them."""
    angles = 2 * np.pi * np.arange(16) / 16
    directions = np.stack([np.cos(angles), np.sin(angles)])
    return bool(((other @ directions).min(0) - (one @ directions).max(0)).max() < ROOM)
