"""Good and bad policies to tell apart: each acts on a belief, in the simulator and in imagination alike."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from wm_core.bundle import Bundle
from wm_core.specs import StateSpec
from wm_dynamics.rollout import RolloutEngine
from wm_planner.costs import CostModel
from wm_planner.planners import make_planner
from wm_tasks.baselines import RandomPolicy
from wm_tasks.experts import make_expert
from wm_tasks.settings import REACH, TASK

HORIZON = 12  # steps planned ahead

# Action (2,) in the unit disk for belief mean (L,), commanded tool position and goal (2,) [m].
Act = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
Make = Callable[[int], Act]  # a fresh one for an episode with this seed


class Planned:
    """A planner in the bundle's imagination, as the planner node does it."""

    def __init__(
        self,
        bundle: Bundle,
        seed: int,
        horizon: int = HORIZON,
        weights: Mapping[str, float] | None = None,
        **params: Any,
    ) -> None:
        """`params`: of icem."""
        self._engine = RolloutEngine(bundle)
        self._costs = CostModel.of(bundle, TASK, REACH, weights)
        self._planner = make_planner("icem", horizon, bundle.action, seed, **params)
        self._warm: np.ndarray | None = None

    def __call__(self, mean: np.ndarray, commanded: np.ndarray, goal: np.ndarray) -> np.ndarray:
        plan = self._planner.plan(
            lambda actions: self._costs.cost(self._engine.rollout(mean, actions), actions, goal), self._warm
        ).actions
        self._warm = np.concatenate([plan[1:], plan[-1:]])
        return plan[0].astype(float)


class Scripted:
    """The scripted pusher on the believed position, with noise on what it does."""

    def __init__(self, state: StateSpec, seed: int, noise: float) -> None:
        self._position = state.object_position
        self._pusher, self._noise, self._rng = make_expert(TASK), noise, np.random.default_rng(seed)

    def __call__(self, mean: np.ndarray, commanded: np.ndarray, goal: np.ndarray) -> np.ndarray:
        action = self._pusher(commanded, self._position(mean), goal) + self._noise * self._rng.normal(size=2)
        return action / max(1.0, float(np.linalg.norm(action)))


class Wandering:
    """Random motions."""

    def __init__(self, state: StateSpec, seed: int) -> None:
        self._position, self._policy = state.object_position, RandomPolicy(seed)

    def __call__(self, mean: np.ndarray, commanded: np.ndarray, goal: np.ndarray) -> np.ndarray:
        return self._policy(commanded, self._position(mean), goal)


class Distilled:
    """The bundle's own policy."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def __call__(self, mean: np.ndarray, commanded: np.ndarray, goal: np.ndarray) -> np.ndarray:
        inputs = {"latent": mean[None].astype(np.float32), "goal": goal[None].astype(np.float32)}
        return self._bundle.run("policy", **inputs)["action"][0].astype(float)


def policies(bundle: Bundle) -> dict[str, Make]:
    """By name."""
    blind = dict.fromkeys(("approach", "side"), 0.0)
    lazy = dict.fromkeys(("goal", "terminal", "fine"), 0.0)
    hasty = dict.fromkeys(("effort", "smoothness", "side"), 0.0)
    few: dict[str, Any] = {"samples": 6, "elites": 2, "iterations": 1}
    found: dict[str, Make] = {
        "icem": lambda seed: Planned(bundle, seed),
        "icem, few samples": lambda seed: Planned(bundle, seed, **few),
        "icem, 4 steps ahead": lambda seed: Planned(bundle, seed, horizon=4),
        "icem, no approach": lambda seed: Planned(bundle, seed, weights=blind),
        "icem, few, no side": lambda seed: Planned(bundle, seed, weights=hasty, **few),
        "icem, no goal": lambda seed: Planned(bundle, seed, weights=lazy),
        "scripted": lambda seed: Scripted(bundle.state, seed, 0.0),
        "scripted, noise 0.3": lambda seed: Scripted(bundle.state, seed, 0.3),
        "scripted, noise 0.5": lambda seed: Scripted(bundle.state, seed, 0.5),
        "random": lambda seed: Wandering(bundle.state, seed),
    }
    if bundle.has("policy"):
        found["policy"] = lambda seed: Distilled(bundle)
    return found
