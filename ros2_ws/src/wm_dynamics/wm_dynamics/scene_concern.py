"""Which objects a rollout can change: what the hand comes near to, what moves by itself, and what those may push."""

import numpy as np

from wm_core.hand import Hand
from wm_core.object_state import VELOCITY
from wm_core.scene_bundle import NEAR
from wm_dynamics.scene_belief import SceneBelief

RESTS = 0.002, 0.02  # [m/s, rad/s] below which an object does not move by itself
REACH = 0.06  # [m] between two objects' circles within which one may move the other in a rollout
MOST_PAIRS = 12


def concerned(belief: SceneBelief, hand: Hand, tool: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Slots in increasing order of the objects that may move, or that what moves may meet, in one of N candidates.

    `tool` (6,) or (N, 6): tool states before displacements `moves` (N, H, 6) [m, rad]. All others stay where they are in each of them.
    """
    path = np.asarray(tool, float).reshape(-1, 1, 6) + np.cumsum(moves, 1)
    linear, angular = belief.state[:, VELOCITY].reshape(-1, 2, 3).swapaxes(0, 1)
    moves_itself = (np.linalg.norm(linear, axis=-1) > RESTS[0]) | (np.linalg.norm(angular, axis=-1) > RESTS[1])
    found = moves_itself | met(belief, hand, path.reshape(-1, 6))
    near = _apart(belief) < REACH
    for _ in range(belief.slots - 1):  # what is pushed pushes on
        found = found | (near & found[None]).any(1)
    return np.flatnonzero(found)


def near_pairs(belief: SceneBelief) -> np.ndarray:
    """Slots (2, R) of the objects that may move each other within a rollout, receiver and sender, the nearest ones; at least (0, 0)."""
    apart = _apart(belief)
    to, of = np.nonzero(apart < REACH)
    order = np.argsort(apart[to, of], kind="stable")[:MOST_PAIRS]
    found = np.stack([to[order], of[order]]).astype(np.int64)
    return found if found.shape[1] else np.zeros((2, 1), np.int64)


def met(belief: SceneBelief, hand: Hand, tool: np.ndarray) -> np.ndarray:
    """(K,) bool: whether a box of the hand is within NEAR of the cylinder around an object, in one of the tool states (N, 6)."""
    reach = np.hypot(belief.radius, belief.height / 2)  # however it lies
    heights = belief.position[:, 2:] + reach[:, None] * np.array([-1.0, 1.0])
    return np.any(hand.gaps(tool, belief.position[:, :2], belief.radius, heights) < NEAR, axis=0)


def _apart(belief: SceneBelief) -> np.ndarray:
    """(K, K) [m] between the circles around two objects; of one with itself infinite."""
    place, radius = belief.position[:, :2], belief.radius
    apart = np.linalg.norm(place[:, None] - place[None], axis=-1) - radius[:, None] - radius[None]
    np.fill_diagonal(apart, np.inf)
    return apart
