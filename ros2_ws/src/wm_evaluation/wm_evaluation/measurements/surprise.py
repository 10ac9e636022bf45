"""Sudden events: is it noticed within a second that the object is elsewhere, gone, or another?"""

from typing import Any

import numpy as np

from wm_dynamics.novelty import SIGNALS
from wm_evaluation.detection import Course, Event, course, detection, explore, signal
from wm_evaluation.measurement import Context
from wm_evaluation.plots import BASELINE, colours, panels, png
from wm_evaluation.section import Picture, Section, Table
from wm_evaluation.stage import Stage
from wm_evaluation.stats import auroc
from wm_sim.world import load_world

EPISODES = 20
EARLIEST, LATEST = 10, 20  # steps at which something happens
WINDOW = 10  # steps
NEAREST, FARTHEST = 0.05, 0.20  # [m] between the object's old and new place
TOOL_GAP = 0.09  # [m] between its new place and the tool
COLOURS = ((0.10, 0.75, 0.25), (0.15, 0.30, 0.85), (0.90, 0.90, 0.90), (0.60, 0.15, 0.70))
PROTOCOL = """\
Objects and behaviour as in data collection, seeds {first} to {last}. At a random step ({earliest} to {latest}) the object is
taken {nearest:.0f} to {farthest:.0f} cm away, or vanishes from all cameras, or gets another colour. Score of a window: the largest novelty
that the runtime publishes in the {window} steps from the event on, against the same and the next window of the same episodes
undisturbed. AUROC: the chance that an event scores higher than an undisturbed window (0.5: a score that knows nothing).
Intervals: 95 %, bootstrap over windows."""


def teleport(stage: Stage, rng: np.random.Generator) -> None:
    """Somewhere else on the table, off the tool."""
    here = stage.object
    for _ in range(1000):
        place = stage.sim.world.start.draw(rng)
        if (
            NEAREST < np.linalg.norm(place - here) < FARTHEST
            and np.linalg.norm(place - stage.drive.commanded) > TOOL_GAP
        ):
            stage.sim.disturb(displacement=(*(place - here), 0.0))
            return
    raise ValueError(f"expected a free place within {FARTHEST} m of {here}, found none")


def vanish(stage: Stage, rng: np.random.Generator) -> None:
    """It is still there, but no camera sees it."""
    stage.sim.disturb(hidden=True)


def recolour(stage: Stage, rng: np.random.Generator) -> None:
    """All of it in one of a few colours; of the kinds of objects one has a similar one."""
    stage.sim.repaint(COLOURS[rng.integers(len(COLOURS))])


EVENTS: dict[str, Event] = {"teleported": teleport, "vanished": vanish, "recoloured": recolour}


def measure(context: Context) -> Section:
    """Raises ValueError without undisturbed windows."""
    seeds = range(context.first_seed, context.first_seed + context.count(EPISODES))
    stage = Stage(context.bundles, load_world(context.world))
    calm: list[Course] = []
    disturbed: dict[str, list[Course]] = {name: [] for name in EVENTS}
    for seed in seeds:
        at = int(np.random.default_rng(seed).integers(EARLIEST, LATEST + 1))
        whole = course(stage, seed, at + 2 * WINDOW, explore(seed))
        calm += [part for begin in (at, at + WINDOW) if (part := window(whole, begin)) is not None]
        for name, event in EVENTS.items():
            if (part := window(course(stage, seed, at + WINDOW, explore(seed), event, at), at)) is not None:
                disturbed[name].append(part)
    stage.close()
    if not calm or not all(disturbed.values()):
        raise ValueError("expected episodes that go on within reach, found none; use more effort")
    figures: dict[str, Any] = {}
    rows = []
    for label in context.bundles:
        negative = {name: scores(calm, label, name) for name in ("novelty", *SIGNALS)}
        found = {
            name: detection(scores(parts, label, "novelty"), negative["novelty"]) for name, parts in disturbed.items()
        }
        average = float(np.mean([estimate.value for estimate in found.values()]))
        figures[label] = {
            "auroc": {name: estimate.json() for name, estimate in found.items()} | {"mean": average},
            "signals": {
                name: {kind: auroc(scores(parts, label, kind), negative[kind]) for kind in SIGNALS}
                for name, parts in disturbed.items()
            },
        }
        for name, parts in disturbed.items():
            alone = (f"{figures[label]['signals'][name][kind]:.2f}" for kind in SIGNALS)
            rows.append((label, name, f"{len(parts)}, {len(calm)}", found[name].text(3), *alone))
        rows.append((label, "mean", "", f"{average:.3f}", *[""] * len(SIGNALS)))
    protocol = PROTOCOL.format(
        first=seeds[0],
        last=seeds[-1],
        earliest=EARLIEST,
        latest=LATEST,
        nearest=100 * NEAREST,
        farthest=100 * FARTHEST,
        window=WINDOW,
    )
    header = ("model", "event", "events, calm windows", "AUROC of novelty", *(f"{kind} alone" for kind in SIGNALS))
    return Section("surprise", "Sudden events", protocol, figures, [Table(header, rows)], [_picture(calm, disturbed)])


def window(whole: Course, begin: int) -> Course | None:
    """The steps of a window; None when the episode was over before its end."""
    parts = {label: steps[begin : begin + WINDOW] for label, steps in whole.items()}
    return parts if all(len(steps) == WINDOW for steps in parts.values()) else None


def scores(windows: list[Course], label: str, name: str) -> np.ndarray:
    """The largest value (n,) of a signal in each window."""
    return np.array([max(signal(novelty, name) for novelty in part[label]) for part in windows])


def _picture(calm: list[Course], disturbed: dict[str, list[Course]]) -> Picture:
    figure, axes = panels(len(disturbed))
    for axis, (name, parts) in zip(axes, disturbed.items(), strict=True):
        for label, colour in colours(calm[0]).items():
            for windows, shade, style in ((parts, colour, "-"), (calm, colour if len(calm[0]) > 1 else BASELINE, ":")):
                courses = np.array([[novelty.value for novelty in part[label]] for part in windows])
                axis.plot(
                    np.arange(WINDOW), np.median(courses, 0), style, color=shade, label=label if style == "-" else None
                )
        axis.set(title=name, xlabel="steps from the event on", ylabel="novelty, median", ylim=(0, None))
    axes[0].legend()
    return Picture(png(figure), "Novelty after events (solid) and undisturbed (dotted); 1 is the limit.")
