"""Proposals of pushes: where to touch an object, in which direction, how fast and how far."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wm_core.hand import Hand, half_turned
from wm_dynamics.scene_belief import STANDS, SceneBelief
from wm_planner.scene.clearance import Prism, least_gap
from wm_planner.scene.targets import Target

CLEAR = 0.006  # [m] between hand and object before a push
SPREAD = 0.5  # [rad] around the direction to the target
TOWARDS = 0.65  # share of the pushes that go there
SLOW, FAST = 0.008, 0.028  # [m] a step
NEAR_SLOW = 0.003  # [m] a step, near the target
LOW = 0.018  # [m] of the tip over the table
UNDER_TOP = 0.006  # [m] that the tip is at least below an object's top
SHARES, LOW_SHARES, ANY_SHARES = (
    (0.15, 0.45),
    (0.05, 0.2),
    (0.0, 0.85),
)  # of an object's height at which it is touched; of a slender one
SLENDER = 1.2  # height over width of what would topple when it is pushed fast
STRAIGHT = 0.4  # share of the usual spread of its way
GENTLE, STEADY = 0.012, 0.03  # [m], [rad] a step, of a hand that pushes that
LEAN = 0.4, 0.65  # [rad] by which the hand leans back from what is taller than its fingers are long
DRAWS = 3  # for each proposal that is wanted


@dataclass(frozen=True)
class Pushes:
    """N proposals: tool states (N, 6) before them, displacements (N, H, 6), slots (N,) of what is pushed."""

    start: np.ndarray
    moves: np.ndarray
    slot: np.ndarray


def propose(
    belief: SceneBelief,
    targets: Sequence[Target],
    others: Sequence[Prism],
    hand: Hand,
    lower: np.ndarray,
    upper: np.ndarray,
    horizon: int,
    count: int,
    rng: np.random.Generator,
    *,
    fastest: float = FAST,
    leaning: bool = False,
    anywhere: frozenset[int] = frozenset(),
) -> Pushes | None:
    """`count` pushes at most of the targets' objects, the farther ones more often; `others`: prisms that the hand keeps clear of, one
    for each object. `lower`, `upper` (6,): of tool states. `fastest` [m]: of a step. `leaning`: the hand may be pitched. `anywhere`:
    slots of objects that are touched at any height, for the usual one has moved nothing. None where nothing can be touched.
    """
    if not targets:
        return None
    off = np.array([float(target.off(belief.state)) for target in targets])
    chosen = rng.choice(len(targets), DRAWS * count, p=off / off.sum())
    starts, headings, slots, speeds = [], [], [], []
    pushed = [_Pushed.of(belief, target.slot, target.slot in anywhere) for target in targets]
    ahead = [target.ahead(belief.state[target.slot, :2]) for target in targets]
    for number in chosen:
        start, heading, speed = _push(pushed[number], ahead[number], off[number], hand, lower, upper, rng, leaning)
        speed = min(speed, fastest)
        starts.append(start)
        headings.append(heading)
        speeds.append(speed)
        slots.append(targets[number].slot)
    start, slot = np.array(starts), np.array(slots)
    free = ((start >= lower) & (start <= upper)).all(1)
    free &= least_gap(hand, start, others, CLEAR) > CLEAR / 3
    kept = np.flatnonzero(free)[:count]
    if not len(kept):
        return None
    moves = np.stack([_moves(headings[i], speeds[i], horizon, rng) for i in kept])
    return Pushes(start[kept], within(start[kept], moves, lower, upper), slot[kept])


def within(tool: np.ndarray, moves: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Displacements (..., H, 6) from a tool state (..., 6) as they are carried out: at its bounds (6,) the tool stays."""
    tool = np.asarray(tool, float)[..., None, :]
    path = np.clip(tool + np.cumsum(moves, -2), lower, upper)
    return np.diff(np.concatenate([np.broadcast_to(tool, (*path.shape[:-2], 1, path.shape[-1])), path], -2), axis=-2)


@dataclass(frozen=True)
class _Pushed:
    """An object that may be pushed, in the table frame [m]; `shares` of its height at which it is touched."""

    place: np.ndarray  # (2,)
    outline: np.ndarray  # (P, 2)
    bottom: float
    top: float
    slender: bool
    shares: tuple[float, float]

    @staticmethod
    def of(belief: SceneBelief, slot: int, anywhere: bool) -> "_Pushed":
        slender = is_slender(belief, slot)
        usual = LOW_SHARES if slender else SHARES  # outlines say nothing of what is hollow or narrow at some height
        return _Pushed(
            belief.state[slot, :2],
            belief.footprint(slot),
            float(belief.bottom[slot]),
            float(belief.top[slot]),
            slender,
            ANY_SHARES if anywhere else usual,
        )


def _push(
    pushed: _Pushed,
    ahead: np.ndarray,
    off: float,
    hand: Hand,
    lower: np.ndarray,
    upper: np.ndarray,
    rng: np.random.Generator,
    leaning: bool,
) -> tuple[np.ndarray, float, float]:
    """Tool state (6,) before, heading [rad] and speed [m a step]; `ahead` (2,): where it shall go."""
    place, outline, bottom, height = pushed.place, pushed.outline, pushed.bottom, pushed.top
    heading = rng.uniform(-np.pi, np.pi)
    if np.linalg.norm(ahead) > 1e-3 and rng.random() < TOWARDS:
        heading = np.arctan2(ahead[1], ahead[0]) + rng.normal(0, SPREAD)
    along = np.array([np.cos(heading), np.sin(heading)])
    through = place + (outline[rng.integers(len(outline))] - place) * rng.uniform(0.0, 0.95)
    share = rng.uniform(*pushed.shares)
    tip = max(bottom + LOW, float(lower[2]), min(height - UNDER_TOP, bottom + share * (height - bottom)))
    pitch, yaw = 0.0, heading + (0.0 if rng.random() < 0.75 else np.pi / 2)
    if height - tip > hand.palm_height - 0.004:
        if leaning and (pushed.slender or rng.random() < 0.8):
            pitch, yaw = (
                rng.uniform(*LEAN),
                heading + np.pi,
            )  # fingers point along -x of a hand that is pitched forwards
        else:
            tip = height - hand.palm_height + 0.004
    turned = float(half_turned(yaw, lower[3], upper[3]))
    if np.cos(turned - yaw) < 0:
        pitch = -pitch
    across = np.array([-along[1], along[0]])
    beside = np.abs((outline - through) @ across) < hand.finger[1] + 0.004
    edge = ((outline[beside] if beside.any() else outline) @ along).min()
    # How far the fingers reach ahead of the tip, as the hand is turned.
    turn = turned - heading
    reach = abs(np.cos(turn)) * hand.finger[0] / 2 + abs(np.sin(turn)) * hand.finger[1]
    if pitch:
        reach = np.cos(pitch) * hand.finger[0] / 2 + abs(np.sin(pitch)) * hand.reach_below
    start = through + along * (edge - through @ along - reach - CLEAR)
    slowest = NEAR_SLOW if off < 0.03 else SLOW
    speed = np.exp(rng.uniform(np.log(slowest), np.log(GENTLE if pushed.slender else FAST)))
    return np.array([*start, tip, turned, pitch, 0.0]), heading, float(speed)


def is_slender(belief: SceneBelief, slot: int) -> bool:
    """Whether an object is so high for its width that a fast push topples it."""
    angles = np.pi * np.arange(8) / 8
    across = belief.outline[slot] @ np.stack([np.cos(angles), np.sin(angles)])
    return bool(belief.upright[slot] > STANDS and belief.height[slot] > SLENDER * np.ptp(across, axis=0).min())


def _moves(heading: float, speed: float, horizon: int, rng: np.random.Generator) -> np.ndarray:
    """Displacements (H, 6): an arc, of which any prefix is a push of its own."""
    headings = heading + rng.normal(0, 0.05) * np.arange(horizon)
    moves = np.zeros((horizon, 6))
    moves[:, 0], moves[:, 1] = speed * np.cos(headings), speed * np.sin(headings)
    moves[:, 3] = rng.normal(0, 0.05)
    return moves
