"""Get in the way of what slides: straight motions from where the hand is, judged by what the model says becomes of it."""

from dataclasses import replace

import numpy as np

from wm_core.hand import Hand, half_turned
from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_model import SceneDynamics, SceneFutures
from wm_planner.scene.costs import Context, total
from wm_planner.scene.targets import Aim
from wm_planner.scene.travel import next_move

FAST = 0.06  # [m/s] above which an object slides
COUNT = 64
AHEAD = (0.03, 0.3)  # [m] in front of the object that the hand may go to
ASIDE = 0.03  # [m] beside its path
LOW = 0.02  # [m] of the tip over the table
LEAST_SLOWING = 0.5  # [m/s^2] of what slides on the slipperiest table
SLIPPERY = -1.5  # logarithm of its friction over the usual one
BESIDE = 0.06  # [m] beside its path, from where on a hand stops nothing
BESIDE_COST = 0.3  # [m] of cost for each metre that the hand is beside the path when the object comes
WORTH = 0.004  # [m] of cost by which getting in its way must be better than looking on


def sliding(belief: SceneBelief, aim: Aim) -> list[int]:
    """Slots of the goal's objects, or those to be kept, that slide on the table."""
    speed = np.linalg.norm(belief.state[:, 7:9], axis=1)
    slots = [*(target.slot for target in aim.targets), *aim.kept]
    return [slot for slot in slots if speed[slot] > FAST and abs(belief.bottom[slot]) < 0.02 and belief.present[slot]]


def intercept(
    model: SceneDynamics,
    belief: SceneBelief,
    aim: Aim,
    context: Context,
    tool: np.ndarray,
    before: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    slot: int,
    rng: np.random.Generator,
) -> np.ndarray | None:
    """Displacement (6,) of the best motion, None where looking on is as good."""
    velocity = belief.state[slot, 7:9]
    along = velocity / np.linalg.norm(velocity)
    across = np.array([-along[1], along[0]])
    farthest = belief.state[slot, :2] + along * float(velocity @ velocity) / (2 * LEAST_SLOWING)
    if (farthest > context.lower).all() and (farthest < context.upper).all():
        return None  # it comes to rest where it may be: a hand in its way would only knock it over
    hand: Hand = context.hand
    moves = np.zeros((COUNT, model.horizon, 6))
    for number in range(1, COUNT):
        place = (
            belief.state[slot, :2] + along * (belief.radius[slot] + rng.uniform(*AHEAD)) + across * rng.normal(0, ASIDE)
        )
        yaw = float(half_turned(np.arctan2(along[1], along[0]), lower[3], upper[3]))
        target = np.clip(
            np.array([*place, max(LOW, belief.height[slot] - hand.palm_height + 0.004), yaw, 0.0, 0.0]), lower, upper
        )
        at = tool.copy()
        for step in range(model.horizon):
            moves[number, step] = next_move(at, target, model.limit)
            at = at + moves[number, step]
    # How it slides is not known yet: what would not be stopped in time on the slipperiest table counts.
    slippery = np.broadcast_to([SLIPPERY, 0.0], belief.code.shape)
    futures = model.imagine(replace(belief, code=np.minimum(belief.code, slippery)), tool, moves, before)
    cost = total(futures, aim, context)[:, -1] + 0.3 * np.linalg.norm(futures.states.mean(0)[:, -1, slot, 7:9], axis=-1)
    cost = cost + BESIDE_COST * _beside(futures, slot, belief.radius[slot], along, across)
    best = int(np.argmin(cost))
    return moves[best, 0] if cost[best] < cost[0] - WORTH else None


def _beside(futures: SceneFutures, slot: int, radius: float, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """How far (N,) [m] beside the object's path each hand is when the object comes to it, BESIDE at most, and where that has passed.

    The object goes on as in the first candidate, which looks on. A hand in the middle stops also what slides otherwise than imagined.
    """
    start = futures.states[:, 0, 0, slot, :2].mean(0)
    way = (futures.states[:, 0, :, slot, :2].mean(0) - start) @ along  # (H,)
    tool = futures.tool[..., :2] - start
    ahead, aside = tool @ along, np.abs(tool @ across)
    meets = way + radius >= ahead  # (N, H)
    first = np.where(meets.any(1), meets.argmax(1), meets.shape[1] - 1)
    each = np.arange(len(tool))
    passed = way[first] > ahead[each, first]
    return np.where(passed, BESIDE, np.minimum(aside[each, first], BESIDE))
