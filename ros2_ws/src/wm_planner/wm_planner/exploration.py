"""Exploration: pushes that show the model what it does not know, and the object again and again from another side.

What is worth seeing is where the members of the ensemble disagree about the object (Shyam et al. 2019, "Model-based active
exploration"; Sekar et al. 2020, "Planning to explore via self-supervised world models"). Disagreement alone pushes the same way for
ever, or not at all where all members are wrong alike: a target of a few seconds says where to and how fast.
"""

from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np

from wm_core.futures import Futures
from wm_core.task import Region
from wm_planner.costs import CostModel, outside

SHORTEST_PUSH = 0.06  # [m]
THERE = 0.025  # [m] a target this near is reached
LASTS_S = (2.0, 5.0)  # [s] a target
SPEEDS = (0.25, 1.0)  # share of full speed
PUSHES = ("goal", "approach", "side")  # terms of an object's goal that lead to a target's place as well
ASIDE = 0.012  # [m] standard deviation of how far off the object's centre it is pushed


@dataclass(frozen=True)
class ExplorationTarget:
    """What is tried now."""

    xy: np.ndarray  # (2,) [m] where the object shall go
    speed: float  # of the tool, share of full speed
    aside: float  # [m] to the left of the object's centre, seen along the push, where the tool touches it
    until_ns: int


class ExplorationTargets:
    """Targets one after another, each until its place is reached or its time is over."""

    def __init__(self, places: Region, seed: int = 0) -> None:
        """`places`: where targets lead to, the task's region of exploring."""
        self._places = places
        self._seed = seed
        self._rng: np.random.Generator | None = None
        self._target: ExplorationTarget | None = None

    def target(self, object_xy: np.ndarray, stamp_ns: int) -> ExplorationTarget:
        """What to try with the object at `object_xy` (2,) [m].

        Drawn from the seed and the first stamp, so that the same beliefs bring the same targets.
        """
        if self._rng is None:
            self._rng = np.random.default_rng([self._seed, stamp_ns])
        target = self._target
        if target is None or stamp_ns >= target.until_ns or float(np.linalg.norm(object_xy - target.xy)) < THERE:
            self._target = target = self._drawn(self._rng, object_xy, stamp_ns)
        return target

    def _drawn(self, rng: np.random.Generator, object_xy: np.ndarray, stamp_ns: int) -> ExplorationTarget:
        places = rng.uniform(self._places.lower, self._places.upper, (32, 2))
        far = np.linalg.norm(places - object_xy, axis=1) > SHORTEST_PUSH  # most of the middle, wherever the object is
        return ExplorationTarget(
            places[int(far.argmax())],
            float(rng.uniform(*SPEEDS)),
            float(ASIDE * rng.normal()),
            stamp_ns + round(1e9 * rng.uniform(*LASTS_S)),
        )


@dataclass(frozen=True)
class ExplorationWeights:
    """Weight of each term; see ExplorationCosts for what a term measures."""

    disagreement: float = 30.0  # per metre
    goal: float = 3.0  # per metre
    approach: float = 4.0  # per metre
    side: float = 3.0
    pace: float = 0.3
    smoothness: float = 0.02
    workspace: float = 300.0  # per metre: much more than anything else can gain
    doubt: float = 300.0  # per metre


@dataclass(frozen=True)
class ExplorationCosts:
    """Costs (N,) of futures with respect to a target.

    disagreement: what the members disagree about the object, up to `enough`; lowers the cost. goal, approach, side: as for an
    object's goal, by those terms of the task, towards the target's place. pace: squared difference to the target's speed. workspace: how
    far outside its region any member sees the object coast, or the tool; whatever the model has learned, a pushed
    object may slide on for v^2 / 2 a at its speed v, with the deceleration a of a slippery world. doubt: how far above
    `most_doubt` the object may be off: such plans would not be executed.
    """

    costs: CostModel  # of the bundle: knows how far off the object may be
    most_doubt: float  # [m]
    step_duration: float  # [s]
    weights: ExplorationWeights = field(default_factory=ExplorationWeights)
    enough: float = 0.04  # [m]
    slippery: float = 0.3  # [m/s^2] least deceleration to be ready for

    TERMS = tuple(term.name for term in fields(ExplorationWeights))

    def terms(self, futures: Futures, actions: np.ndarray, target: ExplorationTarget) -> dict[str, np.ndarray]:
        """Weighted terms (N,) by name; `actions` (N, H, A)."""
        weights, region = self.weights, self.costs.task.exploring.objects
        share = (np.diff(futures.steps, prepend=0) / futures.steps[-1]).astype(np.float32)
        object_xy, tool = futures.mean_object(), futures.mean_tool()
        forward = target.xy - futures.object_start()[:1]
        x, y = forward.T
        left = np.stack([-y, x], -1) / (np.linalg.norm(forward, axis=-1, keepdims=True) + 1e-6)
        places = self._pushes.place_terms(
            object_xy, tool - np.float32(target.aside) * left, target.xy.astype(object_xy.dtype)
        )
        straying = outside(self._coasting(futures), region).max(0)
        straying = straying + outside(tool, self.costs.reach)
        speed = np.linalg.norm(actions, axis=-1)
        return {
            "disagreement": -weights.disagreement * (futures.epistemic_std().clip(None, self.enough) @ share),
            **{name: places[name] @ share for name in PUSHES if name in places},
            "pace": weights.pace * ((speed - target.speed) ** 2).mean(1),
            "smoothness": weights.smoothness * (np.diff(actions, axis=1) ** 2).sum(-1).sum(1) / actions.shape[1],
            "workspace": weights.workspace * straying.max(1),
            "doubt": weights.doubt * (self.costs.uncertainty(futures) - self.most_doubt).clip(0.0, None).max(1),
        }

    @cached_property
    def _pushes(self) -> CostModel:
        """The task's costs with the weights of exploring."""
        task = self.costs.task
        weights = {name: getattr(self.weights, name) for name in PUSHES if name in task.costs}
        return CostModel(task, self.costs.reach, weights)

    def _coasting(self, futures: Futures) -> np.ndarray:
        """Where the object would come to rest (E, N, H, 2) [m] if it were let go at each instant."""
        object_xy = futures.object()
        members, count, _, axes = object_xy.shape
        start = np.broadcast_to(futures.object_start()[:, None], (members, count, 1, axes))
        passed = np.diff(futures.steps, prepend=0)[:, None].astype(np.float32) * np.float32(self.step_duration)
        velocity = np.diff(object_xy, axis=2, prepend=start) / passed
        speed = np.linalg.norm(velocity, axis=-1, keepdims=True)
        return object_xy + velocity * speed / (2 * self.slippery)

    def cost(self, futures: Futures, actions: np.ndarray, target: ExplorationTarget) -> np.ndarray:
        """Total cost (N,)."""
        return sum(self.terms(futures, actions, target).values())  # type: ignore[return-value]
