"""One episode of the closed loop in a worker process; loops are built once per process and setting."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _common import rate
from _results import Line

from wm_core.robot import DEFAULT_ROBOT
from wm_planner.planners import PARAMS
from wm_tasks.baselines import RandomPolicy
from wm_tasks.closed_loop import ClosedLoop, EpisodeResult
from wm_tasks.experts import make_expert
from wm_tasks.settings import TASK

METHODS = {
    "wm": "world model from pixels, all cameras of the world's rig",
    "one_camera": "world model from pixels, the left camera alone",
    "true_state": "the same planner and model, object position from the simulator",
    "scripted": "scripted pusher, object position from the simulator",
    "random": "random motions: the floor",
}
PROTOCOL = """\
Protocol: start and goal are drawn by the world from the episode's seed, at least 10 cm apart; at most {max_steps} steps of
0.1 s. Success: the true object position is within 2 cm (3 cm) of the goal when the episode ends, which is when wm
believes the goal reached (scripted and random: when it is) or at the last step. Lockstep: the simulator waits for the
planner. 95 % Wilson intervals. Seeds {first} to {last}; seeds below 10000 are for training."""


PLAN = ("milliseconds", "candidates", "iterations")  # what is kept of each plan
ROW = ("goal", "start_distance_m", "final_distance_m", "steps", "time_s", "success_2cm", "success_3cm")


@cache
def loop(
    world: str,
    bundle: Path | None,
    planner: str,
    cameras: tuple[str, ...] | None = None,
    budget_ms: float | None = None,
    robot: str = DEFAULT_ROBOT,
) -> ClosedLoop:
    """With a budget, planners iterate until it is used up; without, they do the iterations of their defaults."""
    if budget_ms is None:
        return ClosedLoop.load(world, bundle, planner, cameras=cameras, robot=robot)
    params, budget_s = {"iterations": 1000} if planner in PARAMS else {}, budget_ms / 1e3
    return ClosedLoop.load(
        world, bundle, planner, cameras=cameras, robot=robot, budget_s=budget_s, planner_params=params
    )


def episode(
    world: str,
    method: str,
    seed: int,
    bundle: Path | None = None,
    planner: str = "icem",
    max_steps: int = 100,
    budget_ms: float | None = None,
    plans: bool = False,
) -> dict[str, Any]:
    """The row of one episode of a method out of METHODS."""
    cameras = ("camera_left",) if method == "one_camera" else None
    run = loop(world, bundle, planner, cameras, budget_ms).episode
    if method == "scripted":
        result = run(seed, max_steps=max_steps, policy=make_expert(TASK))
    elif method == "random":
        result = run(seed, max_steps=max_steps, policy=RandomPolicy(seed))
    else:
        result = run(seed, max_steps=max_steps, oracle=method == "true_state")
    return row_of(result, plans)


def row_of(result: EpisodeResult, plans: bool = False) -> dict[str, Any]:
    """What an episode comes to: ROW and, if asked for, PLAN of each plan as `plans`; without its trace."""
    row = {name: getattr(result, name) for name in ROW}
    if plans:
        made = [step for step in result.trace if step.plan is not None]
        row["plans"] = [(round(step.plan_ms, 2), step.plan.candidates, step.plan.iterations) for step in made]
    return row


def plans_of(lines: list[Line]) -> np.ndarray:
    """PLAN of all plans of some episodes, (n, 3)."""
    return np.concatenate([np.reshape(line["result"]["plans"], (-1, 3)) for line in lines])


SUMMARY = ("within 2 cm", "within 3 cm", "median final [cm]", "median steps")


def summary(lines: list[Line]) -> tuple[str, ...]:
    """The cells of SUMMARY."""
    rows = [line["result"] for line in lines]
    return (
        rate(row["success_2cm"] for row in rows),
        rate(row["success_3cm"] for row in rows),
        f"{100 * np.median([row['final_distance_m'] for row in rows]):.1f}",
        f"{np.median([row['steps'] for row in rows]):.0f}",
    )
