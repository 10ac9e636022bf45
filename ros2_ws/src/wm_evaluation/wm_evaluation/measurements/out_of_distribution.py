"""Other worlds: does the runtime notice that friction, mass, looks, light, cameras or the object are not what it knows?"""

from typing import Any

import numpy as np

from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_dynamics.novelty import SIGNALS
from wm_evaluation.detection import Course, Work, course, detection, signal
from wm_evaluation.measurement import Context
from wm_evaluation.plots import BASELINE, colours, panels, png
from wm_evaluation.section import Picture, Section, Table
from wm_evaluation.stage import Stage
from wm_evaluation.stats import Estimate, auroc
from wm_evaluation.worlds import VARIATIONS, Variation
from wm_sim.world import World, load_world

EPISODES = 12  # in the world as it is, and in each varied one
STEPS = 60
BURN_IN = 8  # steps before the score says anything
WINDOW = 10  # steps
SAME = Variation("none", "")
PROTOCOL = """\
Objects as in data collection, pushed to one goal after another by the scripted pusher, seeds {first} to {last}: in the world
as it is, and the same seeds with one factor changed beyond what was trained on. Score of an episode: the mean over its steps
(of {steps}, after {burn_in}) of the novelty that the runtime publishes, which is the largest of its signals; beside it each
signal alone, and novelty over windows of {window} steps. AUROC: the chance that a varied episode scores higher than one in the
world as it is (0.5: a score that knows nothing). Intervals: 95 %, bootstrap over episodes. The mean is over factors, each the
mean of its levels. Pushing on a table hardly depends on mass: at five times the mass the same motions take the object to
within 4 mm of the same place, so there is little to notice."""


def measure(context: Context) -> Section:
    """Raises ValueError when an episode is too short to score."""
    world = load_world(context.world)
    usual = _courses(context, world, SAME, context.count(EPISODES))
    varied = {variation: _courses(context, world, variation, context.count(EPISODES)) for variation in VARIATIONS}
    figures: dict[str, Any] = {}
    rows = []
    for label in context.bundles:
        negative = {name: _scores(usual, label, name) for name in ("novelty", *SIGNALS)}
        factors: dict[str, list[float]] = {}
        levels: dict[str, Any] = {}
        for variation, courses in varied.items():
            found = detection(_scores(courses, label, "novelty"), negative["novelty"])
            alone = {name: auroc(_scores(courses, label, name), negative[name]) for name in SIGNALS}
            short = auroc(_windows(courses, label), _windows(usual, label))
            factors.setdefault(variation.factor, []).append(found.value)
            levels[f"{variation.factor}, {variation.level}"] = {
                "auroc": found.json(),
                "window_auroc": short,
                "signals": alone,
            }
            cells = (f"{short:.2f}", *(f"{alone[name]:.2f}" for name in SIGNALS))
            rows.append((label, variation.factor, variation.level, found.text(2), *cells))
        means = {factor: float(np.mean(values)) for factor, values in factors.items()}
        figures[label] = {"mean_auroc": float(np.mean(list(means.values()))), "factors": means, "levels": levels}
        rows.append((label, "mean of factors", "", f"{figures[label]['mean_auroc']:.3f}", *[""] * (1 + len(SIGNALS))))
    protocol = PROTOCOL.format(
        first=context.first_seed,
        last=context.first_seed + context.count(EPISODES) - 1,
        steps=STEPS,
        burn_in=BURN_IN,
        window=WINDOW,
    )
    header = ("model", "factor", "level", "AUROC of novelty", "in a window", *(f"{name} alone" for name in SIGNALS))
    pictures = [_picture(figures)]
    return Section("out_of_distribution", "Other worlds", protocol, figures, [Table(header, rows)], pictures)


def _courses(context: Context, world: World, variation: Variation, count: int) -> list[Course]:
    rig = CameraRig.load(rig_path(world.rig))
    stage = Stage(context.bundles, variation.world(world), rig=variation.rig(rig), taken_for=rig)
    seeds = range(context.first_seed, context.first_seed + count)
    found = [course(stage, seed, STEPS, Work(seed)) for seed in seeds]
    stage.close()
    long_enough = [one for one in found if len(one[stage.labels[0]]) >= BURN_IN + WINDOW]
    if not long_enough:
        raise ValueError(
            f"expected episodes of {BURN_IN + WINDOW} steps in the world '{variation.factor}', all were shorter"
        )
    return long_enough


def _values(one: Course, label: str, name: str) -> np.ndarray:
    return np.array([signal(novelty, name) for novelty in one[label][BURN_IN:]])


def _scores(courses: list[Course], label: str, name: str) -> np.ndarray:
    """Mean (n,) of a signal along each episode."""
    return np.array([_values(one, label, name).mean() for one in courses])


def _windows(courses: list[Course], label: str) -> np.ndarray:
    """Mean novelty of all windows of all episodes."""
    values = [_values(one, label, "novelty") for one in courses]
    return np.array([v[i : i + WINDOW].mean() for v in values for i in range(0, len(v) - WINDOW + 1, WINDOW)])


def _picture(figures: dict[str, Any]) -> Picture:
    (figure, (axis,)), names = panels(width=7.0, height=3.4), list(next(iter(figures.values()))["levels"])
    place = np.arange(len(names))[::-1]
    shade = colours(figures)
    for i, (label, found) in enumerate(figures.items()):
        estimates = [Estimate(**found["levels"][name]["auroc"]) for name in names]
        off = 0.12 * (i - (len(figures) - 1) / 2)
        spread = [[e.value - e.low for e in estimates], [e.high - e.value for e in estimates]]
        axis.errorbar([e.value for e in estimates], place - off, xerr=spread, fmt="o", color=shade[label], label=label)
    axis.axvline(0.5, color=BASELINE, linewidth=1)
    axis.set(yticks=place, yticklabels=names, xlabel="AUROC of novelty", xlim=(0, 1.02))
    axis.legend()
    return Picture(
        png(figure),
        "How surely an episode in a varied world is distinguished from one in the world as it is; grey: not at all.",
    )
