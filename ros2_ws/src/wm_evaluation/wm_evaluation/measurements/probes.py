"""Linear probes: what a ridge regression reads out of the belief, beside what it reads out of the camera's map itself."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from wm_core.paths import worlds_dir
from wm_data.dataset import Dataset
from wm_evaluation import plots
from wm_evaluation.measurement import Context
from wm_evaluation.section import Picture, Section, Table
from wm_evaluation.stats import Estimate, auroc, ratio
from wm_learning.calibration.intervals import BURN_IN
from wm_learning.families.base import STATE
from wm_learning.training.augment import fuse_maps
from wm_learning.training.embeddings import maps_of
from wm_sim.world import World, load_world
from wm_tasks.settings import STEP_NS

FOLDS = 5
PENALTIES = np.logspace(-6, 1, 15)  # of ridge regression on standardised features, times the number of steps
CLIP = 5.0  # standard deviations beyond which a feature says no more: some of the map's hardly ever vary
CONTACT = 0.001  # [m] an object that moves farther in a step is touched, if the tool is within
REACH = 0.09  # [m] of its centre
BLOCKS = 8  # cells per side that are averaged into one number of the raw map
RANDOM_FEATURES = 256
BATCH = 128
PROTOCOL = """\
Ridge regression from numbers at one step to the truth at that step, trained on four fifths of the held-out episodes and tested on the
last, five times over; the penalty is the one that is best for the four other fifths. R2: share of the variance explained in episodes
that were not trained on, 1 is perfect, 0 is no better than the mean, below 0 is worse; intervals: 95 %, bootstrap over episodes.
State: the family's own part of the belief, without the object, tool and lag positions that every latent carries explicitly; whole: with
them. Raw map: colours and heights averaged over {blocks} x {blocks} cells. Random: a convolutional network of the same input that was never
trained, {random} features. Velocity: the object's displacement since the step before. Yaw: sine and cosine of the
angle times the object's symmetry (4 for a cube), in each world where it can be seen. Contact: the object moved more than
{contact:.0f} mm since the step before with the tool within {reach:.0f} cm of its centre ({share:.0f} % of the steps); AUROC beside R2."""


@dataclass(frozen=True)
class Target:
    """What is to be read out: values (m, k) of some steps (m,) of the data."""

    steps: np.ndarray
    values: np.ndarray


def measure(context: Context) -> Section:
    """R2 of every probe; raises ValueError with fewer than FOLDS episodes."""
    data = context.data
    if (count := len(np.unique(data.episode))) < FOLDS:
        raise ValueError(f"expected at least {FOLDS} episodes, got {count}; give more data")
    targets = _targets(data)
    raw, random = map_features(data)
    inputs: dict[str, dict[str, np.ndarray]] = {
        label: {"state": context.seen(label).mean[:, STATE], "whole": context.seen(label).mean}
        for label in context.bundles
    }
    inputs |= {"raw map": {"whole": raw}, "random encoder": {"whole": random}}
    figures: dict[str, Any] = {
        label: {kind: _probe_all(values, targets, data.episode) for kind, values in kinds.items()}
        for label, kinds in inputs.items()
    }
    protocol = PROTOCOL.format(
        blocks=BLOCKS,
        random=RANDOM_FEATURES,
        contact=1000 * CONTACT,
        reach=100 * REACH,
        share=100 * targets["contact"].values.mean(),
    )
    return Section(
        "probes", "Linear probes of the belief", protocol, figures, [_table(figures)], [_plot(context, figures)]
    )


def _targets(data: Dataset) -> dict[str, Target]:
    """What probes are trained for, at all steps after the burn-in of each episode."""
    steps = data.windows(BURN_IN + 1) + BURN_IN
    moved = (data.object_xy[steps] - data.object_xy[steps - 1]).astype(float)
    near = np.linalg.norm(data.tool_xy[steps] - data.object_xy[steps], axis=1) < REACH
    contact = (np.linalg.norm(moved, axis=1) > CONTACT) & near
    result = {
        "position": Target(steps, data.object_xy[steps].astype(float)),
        "velocity": Target(steps, moved / (STEP_NS / 1e9)),
        "contact": Target(steps, contact[:, None].astype(float)),
    }
    for i, world in enumerate(data.worlds):
        # Labels from depth have no yaw.
        mine = steps[(data.world[steps] == i) & np.isfinite(data.object_at(("yaw",))[steps, 0])]
        folds = _symmetry(world)
        if folds and len(np.unique(data.episode[mine])) >= FOLDS:
            angle = folds * data.object_at(("yaw",))[mine, 0].astype(float)
            result[f"yaw in {world}"] = Target(mine, np.stack([np.sin(angle), np.cos(angle)], 1))
    return result


def _symmetry(name: str) -> int:
    """How often an object looks the same in a turn: 0 for one that always does, or that is not known."""
    file = worlds_dir() / f"{name}.yaml"
    return symmetry(load_world(file)) if file.is_file() else 0


def symmetry(world: World) -> int:
    """4 for a box with square base, 2 for another box, 0 for a cylinder, 1 for what is made of several parts off its axis."""
    parts = world.parts
    if any(abs(part.position[i]) > 1e-6 for part in parts for i in (0, 1)):
        return 1
    boxes = [part for part in parts if part.shape == "box"]
    if not boxes:
        return 0
    return 4 if all(abs(part.size[0] - part.size[1]) < 1e-6 for part in boxes) else 2


def map_features(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The fused map of every step: averaged over blocks (T, features), and through a network that was never trained."""
    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(5, 16, 5, stride=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 5, stride=2),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.LazyLinear(RANDOM_FEATURES),
    )
    network(torch.zeros(1, 5, data.spec.rows, data.spec.columns))
    for parameter in network.parameters():
        fan_in = parameter[0].numel()
        parameter.data = torch.randn(parameter.shape, generator=generator) * (2 / fan_in) ** 0.5 * (parameter.ndim > 1)
    pool = nn.AvgPool2d(BLOCKS)
    raw, random = [], []
    with torch.no_grad():
        for start in range(0, len(data.bev), BATCH):
            maps = fuse_maps(maps_of(data, slice(start, start + BATCH)))
            raw.append(pool(maps).flatten(1).numpy())
            random.append(network(maps).numpy())
    return np.concatenate(raw), np.concatenate(random)


def _probe_all(values: np.ndarray, targets: dict[str, Target], episode: np.ndarray) -> dict[str, Any]:
    """R2 of each target, and AUROC of the contact."""
    result: dict[str, Any] = {}
    for name, target in targets.items():
        groups = episode[target.steps]
        predicted, expected = cross_predict(values[target.steps].astype(float), target.values, groups)
        unexplained = ((target.values - predicted) ** 2).sum(1)
        variance = ((target.values - expected) ** 2).sum(1)
        rest = ratio(unexplained, variance, groups)
        result[name] = Estimate(1 - rest.value, 1 - rest.high, 1 - rest.low).json()
        if name == "contact":
            touched = target.values[:, 0] > 0.5
            result["contact_auroc"] = auroc(predicted[touched, 0], predicted[~touched, 0])
    return result


def cross_predict(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ridge predictions (n, k) of y from x (n, d), each by a regression on other groups; and the means (n, k) of y there."""
    _, member = np.unique(groups, return_inverse=True)
    fold = member % FOLDS
    every, expected = np.empty((len(PENALTIES), *y.shape)), np.empty_like(y)
    for f in range(FOLDS):
        every[:, fold == f] = ridge(x[fold != f], y[fold != f], x[fold == f])
        expected[fold == f] = y[fold != f].mean(0)
    wrong = ((every - y) ** 2).sum(-1)
    predicted = np.empty_like(y)
    for f in range(FOLDS):
        predicted[fold == f] = every[wrong[:, fold != f].sum(1).argmin(), fold == f]
    return predicted, expected


def ridge(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Predictions (penalties, m, k) for `new` (m, d) by ridge regressions of y (n, k) on x (n, d) (Hoerl and Kennard 1970)."""
    centre, scale, mean = x.mean(0), x.std(0) + 1e-9, y.mean(0)
    known, asked = (np.clip((values - centre) / scale, -CLIP, CLIP) for values in (x, new))
    size, axes = np.linalg.eigh(known.T @ known)
    seen, turned = axes.T @ (known.T @ (y - mean)), asked @ axes
    return np.stack([turned @ (seen / (np.maximum(size, 0) + p * len(x))[:, None]) + mean for p in PENALTIES])


def _lines(figures: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{label}: {kind}" if len(kinds) > 1 else label, own)
        for label, kinds in figures.items()
        for kind, own in kinds.items()
    ]


def _names(lines: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [name for name in lines[0][1] if name != "contact_auroc"]


def _table(figures: dict[str, Any]) -> Table:
    lines = _lines(figures)
    names = _names(lines)
    rows = [
        [line, *(Estimate(**own[name]).text(2) for name in names), f"{own['contact_auroc']:.2f}"] for line, own in lines
    ]
    header = ["", *names, "contact, AUROC"]
    return Table(
        header, rows, "R2: share of the variance that a linear probe explains in episodes it was not trained on."
    )


def _plot(context: Context, figures: dict[str, Any]) -> Picture:
    lines, colours = _lines(figures), plots.colours(context.bundles)
    names = _names(lines)
    figure, (axes,) = plots.panels(1, width=9.0, height=3.2)
    width = 0.8 / len(lines)
    for i, (line, own) in enumerate(lines):
        label = line.split(": ")[0]
        estimates = [Estimate(**own[name]) for name in names]
        values = np.array([e.value for e in estimates])
        errors = np.abs(np.array([[e.low, e.high] for e in estimates]).T - values)
        axes.bar(
            np.arange(len(names)) + (i - (len(lines) - 1) / 2) * width,
            values,
            width * 0.92,
            yerr=errors,
            error_kw={"linewidth": 0.8},
            color=colours.get(label, plots.BASELINE),
            alpha=0.45 if line.endswith(": state") or line == "random encoder" else 0.9,
            label=line,
        )
    axes.set_xticks(range(len(names)), names)
    axes.set(ylabel="R2", ylim=(-0.15, 1.03))
    axes.axhline(0, color="black", linewidth=0.6)
    plots.legend_below(figure, axes, 4)
    return Picture(plots.png(figure), "R2 of linear probes with 95 % intervals; bars below the axis are cut.")
