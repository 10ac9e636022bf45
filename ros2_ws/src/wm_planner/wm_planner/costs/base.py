"""What a cost term is, what it is given, and where terms are registered."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from wm_core.futures import Futures
from wm_core.parts import Parts
from wm_core.task import Region, Task

Array = Any  # numpy array or torch tensor
CostToGo = Callable[[np.ndarray, np.ndarray], np.ndarray]  # latents (b, L), goal (2,) [m] -> what is to come (b,)
_EPS = 1e-6  # [m]


@dataclass(frozen=True)
class CostContext:
    """What is known beside the futures: the task, the robot's reach, and what a bundle says."""

    task: Task
    reach: Region  # of the tool
    uncertainty: Callable[[Futures], np.ndarray]  # how far off (N, H) [m] the object may be
    cost_to_go: CostToGo | None = None


class CostTerm(ABC):
    """A term of the cost: unweighted values (N,) of futures. A dataclass whose fields are the options that a task may set."""

    needs: ClassVar[tuple[str, ...]] = ()  # graphs of the bundle; with weight 0 such a term is not computed
    summed: ClassVar[bool] = False  # over the plan: the weighted value is divided by the plan's steps

    @abstractmethod
    def __call__(self, futures: Futures, actions: np.ndarray, goal: np.ndarray, context: CostContext) -> np.ndarray:
        """Values (N,) of N futures under `actions` (N, H, A) with respect to a goal (2,) [m]."""


@dataclass(frozen=True)
class Places:
    """Object, tool and goal (..., 2) [m] at single instants, numpy arrays or torch tensors, and how they lie to each other."""

    object: Array
    tool: Array
    goal: Array

    @cached_property
    def from_goal(self) -> Array:
        """From the goal to the object (..., 2) [m]."""
        return self.object - self.goal

    @cached_property
    def distance(self) -> Array:
        """Of object and goal (...,) [m]."""
        return length(self.from_goal)

    @cached_property
    def backwards(self) -> Array:
        """Direction (..., 2) from the goal to the object: behind the object lies a push towards the goal."""
        return self.from_goal / (self.distance[..., None] + _EPS)

    @cached_property
    def from_object(self) -> Array:
        """From the object to the tool (..., 2) [m]."""
        return self.tool - self.object

    @cached_property
    def gap(self) -> Array:
        """Distance of tool and object (...,) [m]."""
        return length(self.from_object)

    @cached_property
    def cosine(self) -> Array:
        """1 where the tool is right behind the object, -1 where it is in front of it (...,)."""
        return (self.from_object * self.backwards).sum(-1) / (self.gap + _EPS)


class PlaceTerm(CostTerm):
    """A term of single instants, averaged over the plan; learning uses it on torch tensors as well."""

    @abstractmethod
    def at(self, places: Places, context: CostContext) -> Array:
        """Values (...,) of instants; with torch tensors only what both libraries have: methods, operators, clip."""

    def __call__(self, futures: Futures, actions: np.ndarray, goal: np.ndarray, context: CostContext) -> np.ndarray:
        return self.at(Places(futures.mean_object(), futures.mean_tool(), goal), context) @ shares(futures)


COSTS: Parts[CostTerm] = Parts("cost term", "wm_planner.costs")
cost_term = COSTS.register


def shares(futures: Futures) -> np.ndarray:
    """Share (H,) of the plan that each instant stands for: one at the end of a jump stands for all of it."""
    return (np.diff(futures.steps, prepend=0) / futures.steps[-1]).astype(futures.variance.dtype)


def length(vectors: Array) -> Array:
    """Lengths (...,) of vectors (..., n), with a slope everywhere."""
    return ((vectors**2).sum(-1) + 1e-18) ** 0.5


def outside(points: Array, region: Region) -> Array:
    """How far points (..., n) lie outside a region of n axes [m], summed over axes; numpy arrays or torch tensors."""
    if points.shape[-1] != len(region.axes):
        raise ValueError(f"expected points along {region.axes}, got shape {tuple(points.shape)}")
    beyond = [
        (low - points[..., i]).clip(0.0, None) + (points[..., i] - high).clip(0.0, None)
        for i, (low, high) in enumerate(zip(region.lower, region.upper, strict=True))
    ]
    return sum(beyond[1:], beyond[0])
