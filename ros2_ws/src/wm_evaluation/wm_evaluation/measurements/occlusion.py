"""Permanence: how well is it known where an object is that nobody sees while it is pushed?"""

from dataclasses import dataclass

import numpy as np

from wm_evaluation.measurement import Context
from wm_evaluation.plots import BASELINE, colours, panels, png
from wm_evaluation.section import Picture, Section, Table
from wm_evaluation.stage import Stage
from wm_evaluation.stats import mean
from wm_sim.world import load_world
from wm_tasks.experts import make_expert
from wm_tasks.settings import TASK

EPISODES = 24
HIDDEN = (5, 10, 20)  # steps
LONGEST_WAIT = 45  # steps until the object is pushed
PUSHED = 0.005  # [m] in a step: from then on it is hidden
MOVED = 0.02  # [m] while hidden; episodes in which it moved less are no question
SPEED = 0.4  # share of the pusher's own speed, so that it stays on the table for two seconds
CLOSE = 0.015  # [m]
PROTOCOL = """\
Objects as in data collection, seeds {first} to {last}, pushed by the scripted pusher towards the goal drawn with the seed. From
the first step in which the object moves more than {pushed:.0f} mm no camera sees it, and the pushing goes on at {speed:.0%} of the
pusher's speed. Error: believed against true position after {times} s without sight, where the object moved more than
{moved:.0f} cm meanwhile. Baseline: where it was believed to be when it was last seen. Intervals: 95 %, bootstrap over episodes."""


@dataclass(frozen=True)
class Hidden:
    """After one time without sight, in one episode [m]."""

    episode: int
    steps: int
    moved: float
    error: dict[str, float]  # of each bundle's belief
    frozen: dict[str, float]  # of what was believed when it was last seen


def measure(context: Context) -> Section:
    """Raises ValueError when nothing was pushed while hidden."""
    seeds = range(context.first_seed, context.first_seed + context.count(EPISODES))
    stage = Stage(context.bundles, load_world(context.world))
    found = [hidden for seed in seeds for hidden in watch(stage, seed)]
    stage.close()
    if not found:
        raise ValueError("expected objects that are pushed while hidden, found none; use more effort")
    figures: dict[str, dict] = {label: {} for label in (*context.bundles, "last sight")}
    rows = []
    for steps in HIDDEN:
        mine = [hidden for hidden in found if hidden.steps == steps]
        if not mine:
            continue
        episodes = np.array([hidden.episode for hidden in mine])
        moved = 100 * float(np.median([hidden.moved for hidden in mine]))
        methods = {label: np.array([hidden.error[label] for hidden in mine]) for label in context.bundles}
        methods["last sight"] = np.array([next(iter(hidden.frozen.values())) for hidden in mine])
        for label, errors in methods.items():
            average, close = mean(100 * errors, episodes), mean((errors <= CLOSE).astype(float), episodes)
            median, p95 = (100 * float(np.percentile(errors, q)) for q in (50, 95))
            figures[label][f"{steps / 10:g}"] = {
                "pushes": len(mine),
                "moved_cm": moved,
                "mean_cm": average.json(),
                "median_cm": median,
                "p95_cm": p95,
                "within_1.5cm": close.json(),
            }
            cells = (f"{median:.1f}, {p95:.1f}", average.text(1), close.text(0, 100))
            rows.append((f"{steps / 10:g}", label, str(len(mine)), f"{moved:.1f}", *cells))
    header = (
        "hidden [s]",
        "method",
        "pushes",
        "moved, median [cm]",
        "error median, p95 [cm]",
        "mean [cm]",
        "within 1.5 cm [%]",
    )
    protocol = PROTOCOL.format(
        first=seeds[0],
        last=seeds[-1],
        speed=SPEED,
        pushed=1000 * PUSHED,
        times=", ".join(f"{steps / 10:g}" for steps in HIDDEN),
        moved=100 * MOVED,
    )
    return Section("occlusion", "Out of sight", protocol, figures, [Table(header, rows)], [_picture(figures)])


def watch(stage: Stage, seed: int) -> list[Hidden]:
    """Push the object out of sight of all cameras; nothing when it is never pushed."""
    goal = stage.reset(seed)
    pusher = make_expert(TASK)
    place = stage.object
    seen_at: np.ndarray | None = None
    believed: dict[str, np.ndarray] = {}
    hidden_for, found = 0, []
    for _ in range(LONGEST_WAIT + HIDDEN[-1]):
        if seen_at is None and np.linalg.norm(stage.object - place) > PUSHED:
            seen_at = place
        hidden = seen_at is not None
        place = stage.object
        stage.sim.disturb(hidden=hidden)
        states = stage.observe()
        if not hidden:
            believed = {label: state.scene.xy[0] for label, state in states.items()}
        elif believed:
            hidden_for += 1
            moved = float(np.linalg.norm(place - seen_at))
            if hidden_for in HIDDEN and moved > MOVED:
                errors = {label: float(np.linalg.norm(state.scene.xy[0] - place)) for label, state in states.items()}
                frozen = {label: float(np.linalg.norm(xy - place)) for label, xy in believed.items()}
                found.append(Hidden(seed, hidden_for, moved, errors, frozen))
        if hidden_for == HIDDEN[-1]:
            break
        action = pusher(stage.drive.commanded, place, goal)
        stage.act(SPEED * action if hidden else action)
    return found


def _picture(figures: dict[str, dict]) -> Picture:
    (figure, (axis,)), shades = panels(), colours(label for label in figures if label != "last sight")
    for label, by_time in figures.items():
        times = [float(time) for time in by_time]
        means = [by_time[time]["mean_cm"] for time in by_time]
        axis.plot(times, [m["value"] for m in means], "o-", color=shades.get(label, BASELINE), label=label)
        axis.fill_between(
            times, [m["low"] for m in means], [m["high"] for m in means], color=shades.get(label, BASELINE), alpha=0.15
        )
    axis.set(xlabel="time without sight [s]", ylabel="error [cm]", ylim=(0, None))
    axis.legend()
    return Picture(png(figure), "Mean error of the believed position of an object that is pushed unseen.")
