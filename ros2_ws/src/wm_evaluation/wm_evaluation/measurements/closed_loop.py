"""Goals reached in closed loop, from pixels and joints: success, steps, effort and time per decision."""

from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from wm_core.workers import run_all
from wm_evaluation.measurement import Context
from wm_evaluation.plots import BASELINE, colours, panels, png
from wm_evaluation.section import Picture, Section, Table
from wm_evaluation.stats import Estimate
from wm_tasks.baselines import RandomPolicy
from wm_tasks.closed_loop import ClosedLoop, EpisodeResult
from wm_tasks.experts import make_expert
from wm_tasks.report import wilson
from wm_tasks.settings import TASK

GOALS = 40
MAX_STEPS = TASK.max_steps
PLANNER = "icem"
TOLERANCES = (0.02, 0.03)  # [m]
PROTOCOL = """\
World {world}, goals and starts drawn with seeds {first} to {last}, at least 10 cm apart; at most {steps} steps of 0.1 s;
perception, belief, planner ({planner}, and the bundle's policy where it brings one) and guard as in the nodes, the simulator
waits for them. Success: the true object is within 2 cm (3 cm) of the goal at the end, which is when the goal is believed to
be reached, or the last step. Effort: summed lengths of the actions. Decision: images to joint motion, on one thread.
Baselines see the true state (scripted pusher) or nothing (random motions). Intervals: 95 %, Wilson."""


@dataclass(frozen=True)
class Run:
    """What an episode comes to."""

    final_distance: float  # [m]
    steps: int
    effort: float
    decision_ms: tuple[float, ...]  # of each step that planned


def measure(context: Context) -> Section:
    """Success of every bundle and of the baselines."""
    seeds = range(context.first_seed, context.first_seed + context.count(GOALS))
    methods: list[tuple[str, Path, str]] = []
    for label, bundle in context.bundles.items():
        methods.append((label, bundle.path, PLANNER))
        if bundle.has("policy"):
            methods.append((f"{label}, policy", bundle.path, "policy"))
    path = next(iter(context.bundles.values())).path
    methods += [("scripted", path, "scripted"), ("random", path, "random")]
    calls = [(context.world, folder, method, seed) for _, folder, method in methods for seed in seeds]
    finished = run_all(run, calls, context.workers)
    found = {label: list(islice(finished, len(seeds))) for label, _, _ in methods}
    figures = {label: _figures(runs) for label, runs in found.items()}
    rows = [_row(label, figures[label]) for label in found]
    header = (
        "method",
        "within 2 cm [%]",
        "within 3 cm [%]",
        "median final [cm]",
        "median steps",
        "mean effort",
        "decision p50, p99 [ms]",
    )
    protocol = PROTOCOL.format(world=context.world, first=seeds[0], last=seeds[-1], steps=MAX_STEPS, planner=PLANNER)
    pictures = [_picture(found, tuple(context.bundles))]
    return Section("closed_loop", "Closed loop", protocol, figures, [Table(header, rows)], pictures)


def run(world: str, bundle: Path, method: str, seed: int) -> Run:
    """One episode of a planner (or 'policy'), or of a baseline."""
    if method == "scripted":
        result = _loop(world, bundle, PLANNER).episode(seed, max_steps=MAX_STEPS, policy=make_expert(TASK))
    elif method == "random":
        result = _loop(world, bundle, PLANNER).episode(seed, max_steps=MAX_STEPS, policy=RandomPolicy(seed))
    else:
        result = _loop(world, bundle, method).episode(seed, max_steps=MAX_STEPS)
    return summed(result)


def summed(result: EpisodeResult) -> Run:
    """An episode without its trace, which is too much to pass between processes."""
    times = [
        step.observation.encode_ms + step.belief.filter_ms + step.plan_ms
        for step in result.trace
        if step.plan is not None and step.observation is not None and step.belief is not None
    ]
    effort = sum(float(np.linalg.norm(step.action)) for step in result.trace)
    return Run(result.final_distance_m, len(result.trace), effort, tuple(times))


@cache
def _loop(world: str, bundle: Path, planner: str) -> ClosedLoop:
    return ClosedLoop.load(world, bundle, planner)


def _figures(runs: list[Run]) -> dict[str, Any]:
    finals = np.array([run.final_distance for run in runs])
    times = np.array([ms for run in runs for ms in run.decision_ms])
    figures: dict[str, Any] = {"goals": len(runs)}
    for tolerance in TOLERANCES:
        reached = int((finals <= tolerance).sum())
        share = Estimate(reached / len(runs), *wilson(reached, len(runs)))
        figures[f"success_{100 * tolerance:.0f}cm"] = share.json()
    return figures | {
        "median_final_cm": 100 * float(np.median(finals)),
        "median_steps": float(np.median([run.steps for run in runs])),
        "mean_effort": float(np.mean([run.effort for run in runs])),
        "decision_ms": {f"p{q}": float(np.percentile(times, q)) for q in (50, 99)} if len(times) else None,
    }


def _row(label: str, figures: dict[str, Any]) -> tuple[str, ...]:
    shares = (Estimate(**figures[f"success_{100 * tolerance:.0f}cm"]).text(0, 100) for tolerance in TOLERANCES)
    times = figures["decision_ms"]
    return (
        label,
        *shares,
        f"{figures['median_final_cm']:.1f}",
        f"{figures['median_steps']:.0f}",
        f"{figures['mean_effort']:.1f}",
        "" if times is None else f"{times['p50']:.0f}, {times['p99']:.0f}",
    )


def _picture(found: dict[str, list[Run]], labels: tuple[str, ...]) -> Picture:
    (figure, (axis,)), shades = panels(width=6.0), colours(labels)
    for label, runs in found.items():
        bundle = label.removesuffix(", policy")
        style = "-" if bundle == label else "--"
        finals = np.sort([100 * run.final_distance for run in runs])
        share = np.arange(1, len(runs) + 1) / len(runs)
        marks = {"scripted": ":", "random": "-."}
        axis.step(finals, share, marks.get(label, style), where="post", color=shades.get(bundle, BASELINE), label=label)
    axis.axvline(100 * TOLERANCES[0], color=BASELINE, linewidth=0.8)
    axis.set(xlabel="final distance [cm]", ylabel="share of goals", xscale="log", ylim=(0, 1.02))
    axis.legend()
    return Picture(png(figure), "Share of goals that end within a distance.")
