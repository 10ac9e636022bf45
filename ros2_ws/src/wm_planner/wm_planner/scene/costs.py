"""Terms of the cost of futures of a scene, by name. Each is (futures, aim, context) -> (N, H), in metres, mean over members.

A task names terms and weights; a term knows neither a task nor a method of search.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from wm_core.hand import Hand
from wm_core.object_state import ROTATION
from wm_core.rotations import uprightness
from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_model import SceneFutures
from wm_planner.scene.clearance import Prism, least_gap, moved_gaps
from wm_planner.scene.targets import Aim

UNMOVED = 0.003  # [m] by which what shall stay may be off
TILT = 0.6  # [m] that an object that has fallen over costs
MARGIN = 0.005  # [m] that hand and what is pushed keep from what shall stay
TOUCHES, SLACK = 0.001, 0.003  # [m] within which they touch it; by which what is that near may come nearer
NEAR_STEP, TOUCH_STEP = 0.02, 0.08  # [m] that each step within the margin costs, and what a touch costs beyond that
FREE = 0.04  # [m] inside an edge of the table that costs nothing


@dataclass(frozen=True)
class Context:
    """What terms need beside futures: the belief that was imagined from, the hand, where objects may be."""

    belief: SceneBelief
    hand: Hand
    lower: np.ndarray  # (2,) [m] where objects should stay
    upper: np.ndarray
    others: Mapping[int, Prism]  # objects that shall stay, as they stand now
    touched: tuple[int, ...] = ()  # slots that are to be moved by these candidates


Term = Callable[[SceneFutures, Aim, Context], np.ndarray]
TERMS: dict[str, Term] = {}
USUAL = {"goal": 1.0, "doubt": 1.0, "keep": 3.0, "upright": 1.0, "workspace": 5.0, "clearance": 1.0, "effort": 0.0002}


def term(function: Term) -> Term:
    """Registers a term by the name of its function."""
    TERMS[function.__name__.strip("_")] = function
    return function


def total(futures: SceneFutures, aim: Aim, context: Context, weights: Mapping[str, float] | None = None) -> np.ndarray:
    """Weighted sum (N, H) of all terms whose weight is not 0."""
    chosen = USUAL if weights is None else weights
    return np.sum([weight * TERMS[name](futures, aim, context) for name, weight in chosen.items() if weight], axis=0)


@term
def goal(futures: SceneFutures, aim: Aim, context: Context) -> np.ndarray:
    """How far all objects are from their targets."""
    if not aim.targets:
        return np.zeros(futures.states.shape[1:3])
    return np.sum([target.off(futures.states).mean(0) for target in aim.targets], axis=0)


@term
def doubt(futures: SceneFutures, aim: Aim, context: Context) -> np.ndarray:
    """How much the members disagree about that; 0 for one of them."""
    if len(futures.states) < 2 or not aim.targets:
        return np.zeros(futures.states.shape[1:3])
    return np.sum([target.off(futures.states).std(0) for target in aim.targets], axis=0)


@term
def keep(futures: SceneFutures, aim: Aim, context: Context) -> np.ndarray:
    """How far what shall stay is from where it was at the beginning."""
    cost = np.zeros(futures.states.shape[1:3])
    for slot in aim.kept:
        off = np.linalg.norm(futures.states[..., slot, :2] - aim.places[slot], axis=-1)
        before = np.linalg.norm(context.belief.state[slot, :2] - aim.places[slot])
        cost += np.maximum(off - max(UNMOVED, float(before)), 0).mean(0)
    return cost


@term
def upright(futures: SceneFutures, aim: Aim, context: Context) -> np.ndarray:
    """What stands and will not; the member that sees it worst counts."""
    standing = context.belief.upright > 0.9
    wanted = [target.slot for target in aim.targets if target.upright]
    slots = [slot for slot in range(context.belief.slots) if standing[slot] and slot not in wanted]
    if not slots:
        return np.zeros(futures.states.shape[1:3])
    cosine = uprightness(futures.states[..., slots, ROTATION])
    return TILT * np.clip(0.99 - cosine, 0, 1).max(0).sum(-1)


@term
def workspace(futures: SceneFutures, aim: Aim, context: Context) -> np.ndarray:
    """How far objects are outside of where they should stay, and below the table."""
    place = futures.states[..., :3]
    beyond = np.maximum(context.lower - place[..., :2], 0) + np.maximum(place[..., :2] - context.upper, 0)
    now = context.belief.position[:, :2]
    already = np.maximum(context.lower - now, 0) + np.maximum(now - context.upper, 0)
    fallen = np.maximum(-0.01 - place[..., 2], 0)
    return (np.maximum(beyond - already, 0).sum(-1) + fallen).sum(-1).mean(0)


@term
def clearance(futures: SceneFutures, aim: Aim, context: Context) -> np.ndarray:
    """Steps so far in which the hand, or what it moves, is within a margin of what shall stay, or touches it."""
    count, steps = futures.tool.shape[:2]
    others = [prism for slot, prism in context.others.items() if slot not in context.touched]
    gap = least_gap(context.hand, futures.tool.reshape(-1, 6), others, MARGIN).reshape(count, steps)
    near, touches = gap < MARGIN, gap < TOUCHES
    belief = context.belief
    for prism in others:
        for moved in context.touched:
            states = futures.states.mean(0)[..., moved, :]
            yaw = 2 * np.arctan2(states[..., 5], states[..., 6])
            poses = np.concatenate([states[..., :2], yaw[..., None]], -1).reshape(-1, 3)
            body = belief.outline[moved], float(belief.bottom[moved]), float(belief.top[moved])
            between = moved_gaps(body[0], poses, *body[1:], prism).reshape(count, steps)
            now = float(moved_gaps(body[0], _pose(belief, moved), *body[1:], prism)[0]) - SLACK
            near |= between < min(MARGIN, now)
            touches |= between < min(TOUCHES, now)
    return NEAR_STEP * np.cumsum(near, 1) + TOUCH_STEP * np.cumsum(touches, 1)


@term
def effort(futures: SceneFutures, aim: Aim, context: Context) -> np.ndarray:
    """The number of steps."""
    return np.broadcast_to(np.arange(1, futures.tool.shape[1] + 1, dtype=float), futures.tool.shape[:2])


def _pose(belief: SceneBelief, slot: int) -> np.ndarray:
    return np.array([[*belief.state[slot, :2], belief.yaw[slot]]])
