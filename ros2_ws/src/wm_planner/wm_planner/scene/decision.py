"""What the planner of scenes is given and what it decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from wm_core.specs_schema import AXES
from wm_dynamics.scene_model import SceneFutures
from wm_planner.scene.refine import Search


class Mode(Enum):
    CHOOSE = "choose"
    TRAVEL = "travel"
    PUSH = "push"
    PICK = "pick and place"
    RIGHT = "set upright"
    CATCH = "intercept"
    LEAVE = "leave"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class SceneSettings:
    """Numbers of the planner."""

    proposals: int = 56  # in each of `looks` cycles
    looks: int = 2
    search: Search = field(default_factory=Search)
    weights: Mapping[str, float] | None = None  # of cost terms; None: the usual ones
    axes: tuple[str, ...] = AXES  # that may be used
    refining: bool = True  # False: proposals are carried out as they are


@dataclass(frozen=True)
class SceneDecision:
    """What one cycle decided. `reason`: why the goal cannot be reached, with mode FAILED."""

    move: np.ndarray  # (6,) displacement of the tool state [m, rad]
    mode: Mode
    slot: int  # of what is moved; -1: nothing
    reason: str
    progress: Mapping[str, float]  # [m] that each object of the goal is off, by name
    plan_ms: float
    futures: SceneFutures | None = None  # of the push that was chosen
