"""The environments of the outside reference: what is known of each beforehand, and what others published."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium
import torch
from torch import Tensor

from wm_core.task import Region, load_task
from wm_learning.online.model import Features
from wm_learning.online.objectives import StateCost, goal_distance
from wm_planner.costs import CostModel

OBJECT_HEIGHT = 0.02  # [m] centre of panda-gym's cube
HEIGHT_WEIGHT = 4.0  # per metre between the tool's height and the cube's
CALM = 0.25  # [m/s] a faster cube slides on, out of control: it is smooth and heavy
SPEED_WEIGHT = 8.0  # per m/s beyond
CONTACT = 0.08  # [m] farther apart tool and cube do not touch
OURS = load_task("push")
PUSH = CostModel(
    replace(
        OURS,
        regions=replace(OURS.regions, objects=Region(("x", "y"), (-0.2, -0.2), (0.2, 0.2))),
        # panda-gym's cube and fingers are narrower than wm's
        costs={
            **OURS.costs,
            "approach": {**OURS.costs["approach"], "behind": 0.03},
            "side": {**OURS.costs["side"], "near": 0.07},
        },
    ),
    reach=Region(("x", "y"), (-0.27, -0.27), (0.27, 0.27)),
)


def push_cost(states: Tensor, goal: Tensor) -> Tensor:
    """wm's own cost of pushing on a table, the height of the tool and the speed of the cube.

    States (..., 21): position and velocity of the tool, position, rotation, velocity and spin of the cube, its position again.
    """
    tool, object_xyz, speed = states[..., 0:3], states[..., -3:], torch.linalg.vector_norm(states[..., 12:15], dim=-1)
    terms = PUSH.place_terms(object_xyz[..., :2], tool[..., :2], goal[:2])
    height = HEIGHT_WEIGHT * (tool[..., 2] - OBJECT_HEIGHT).abs()
    return sum(terms.values()) + height + SPEED_WEIGHT * (speed - CALM).clamp(min=0)


def push_features(states: Tensor) -> Tensor:
    """Where the cube is as seen from the tool, finely where they can touch."""
    return (states[..., -3:] - states[..., 0:3]).clamp(-CONTACT, CONTACT)


@dataclass(frozen=True)
class Outside:
    """An environment, and how it is learned here."""

    steps: int  # of the environment
    episodes: int  # of the evaluation
    cost: StateCost | None  # None: rewards and values are learned
    given: str  # what the agent is given beyond observations and rewards
    settings: Mapping[str, Any]
    features: Features | None = None
    published: Mapping[str, str] = field(default_factory=dict)


_REWARDS = {
    "dynamics": {"horizon": 3, "batch": 64},
    "values": {"ceiling": 1.0, "critics": 2, "batch": 192},
    "plan": {"planner": "mppi", "horizon": 3, "samples": 64, "iterations": 2},
    "explore": {"random_steps": 2_000, "noise": 0.5, "noise_end": 0.1, "noise_steps": 25_000},
}
_NO_HINT = "that a reward is at most 1 an environment step"


def _control(at_100k: tuple[int, int, int], at_500k: tuple[int, int, int], repeat: int = 4) -> Outside:
    names = ("TD-MPC2", "DreamerV3", "SAC")
    published = {name: f"{early} / {late}" for name, early, late in zip(names, at_100k, at_500k, strict=True)}
    return Outside(25_000, 10, None, _NO_HINT, {**_REWARDS, "repeat": repeat}, published=published)


OUTSIDE = {
    "PandaReach-v3": Outside(
        1_000,
        100,
        goal_distance,
        "that the distance to the goal is the cost",
        {"updates": 0.5, "plan": {"horizon": 6, "iterations": 2}, "explore": {"random_steps": 200, "noise_steps": 500}},
    ),
    "PandaPush-v3": Outside(
        10_000,
        100,
        push_cost,
        "where in the observation tool and cube are and that they touch within 8 cm only, the cube's height, and wm's cost of "
        "pushing: the cube's distance to the goal, the tool's to the place behind the cube, a penalty near the cube on its wrong "
        "side (wm_planner.costs), and one for a cube faster than 25 cm/s",
        {
            "updates": 0.5,
            "dynamics": {"batch": 96, "rate": 3e-3},
            "plan": {"samples": 64, "iterations": 3, "horizon": 8, "caution": 1.0},
            "explore": {"random_steps": 200, "noise": 0.3, "noise_end": 0.1, "noise_steps": 3_000},
        },
        push_features,
    ),
    "dm_control/cartpole-swingup-v0": _control((839, 677, 835), (876, 789, 835)),
    "dm_control/reacher-easy-v0": _control((937, 872, 540), (919, 940, 918)),
    "dm_control/ball_in_cup-catch-v0": _control((981, 870, 958), (985, 958, 978)),
    "dm_control/finger-spin-v0": _control((948, 328, 762), (985, 752, 873), repeat=2),
}


def make(name: str) -> gymnasium.Env:
    """The environment, after its library has registered it with Gymnasium."""
    if name.startswith("dm_control/"):
        os.environ.setdefault("MUJOCO_GL", "disable")  # nothing is drawn
        import shimmy

        gymnasium.register_envs(shimmy)
    else:
        import panda_gym

        gymnasium.register_envs(panda_gym)
    return gymnasium.make(name)
