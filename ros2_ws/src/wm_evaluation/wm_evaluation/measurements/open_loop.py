"""Open-loop prediction: how far object and tool are from where the model imagines them, by horizon."""

from typing import Any

import numpy as np

from wm_evaluation import plots
from wm_evaluation.measurement import Context
from wm_evaluation.section import Picture, Section, Table
from wm_evaluation.stats import Estimate, mean
from wm_learning.calibration.intervals import BURN_IN, Outcomes, outcomes
from wm_learning.figures.horizons import MOVED, errors_after

HORIZONS = (1, 2, 3, 5, 8, 10, 12, 15, 20, 25, 30, 40, 50)
TABLED = (1, 5, 10, 20, 40, 50)
BY_WORLD = (1, 5, 10, 20)
FEWEST = 20  # windows below which nothing is said of a horizon
BASELINES = {"copy_last": "copy last", "constant_velocity": "constant velocity"}
PROTOCOL = """\
The belief is filtered from pixels and joints over at least {burn_in} steps; then h steps of 0.1 s are imagined from the recorded
actions alone, from every step of every held-out episode. Error: distance of the true object position from the ensemble's mean,
averaged over the windows in which the object moves more than {moved:.0f} cm (the others are easy for everyone). The tool's error is
over all windows. Intervals: 95 %, bootstrap over episodes. The baselines are given the true position of the object at the start and
one step before it, which flatters them. Horizons with fewer than {fewest} moving windows are left out."""

ByHorizon = dict[int, Estimate]


def measure(context: Context) -> Section:
    """Error of object and tool by horizon; raises ValueError when no window is long enough or none moves."""
    data, curves, tools, worlds = context.data, {}, {}, {}
    longest = min(HORIZONS[-1], int(np.bincount(data.episode).max()) - BURN_IN - 1)
    counts: dict[int, int] = {}
    for label, bundle in context.bundles.items():
        found = outcomes(bundle, data, context.seen(label).mean, longest)
        curves[label], baselines, counts = _object_errors(context, found, longest)
        tools[label] = _tool_errors(found, longest)
        worlds[label] = {
            world: _object_errors(context, _in_world(context, found, i), longest)[0]
            for i, world in enumerate(data.worlds)
        }
    if not counts:
        raise ValueError(
            f"expected at least {FEWEST} windows in which the object moves {100 * MOVED:.0f} cm, found none; give more data"
        )
    figures: dict[str, Any] = {
        label: {
            "object_mm": _json(curves[label]),
            "tool_mm": _json(tools[label]),
            "by_world_mm": {world: _json(curve) for world, curve in worlds[label].items()},
        }
        for label in curves
    }
    figures |= {name: {"object_mm": _json(curve)} for name, curve in baselines.items()}
    figures["windows"] = {str(h): count for h, count in counts.items()}
    protocol = PROTOCOL.format(burn_in=BURN_IN, moved=100 * MOVED, fewest=FEWEST)
    tables = [_table(curves, baselines, tools, counts), _world_table(worlds)]
    return Section("open_loop", "Open-loop prediction", protocol, figures, tables, [_plot(curves, baselines, tools)])


def _object_errors(
    context: Context, found: Outcomes, longest: int
) -> tuple[ByHorizon, dict[str, ByHorizon], dict[int, int]]:
    """Errors [mm] of the model and of the baselines, and numbers of windows, by horizon."""
    data, starts = context.data, found.start
    now, before = data.object_xy[starts].astype(float), data.object_xy[starts - 1].astype(float)
    model: ByHorizon = {}
    baselines: dict[str, ByHorizon] = {name: {} for name in BASELINES.values()}
    counts = {}
    for h in (h for h in HORIZONS if h <= longest):
        end = np.minimum(starts + h, len(data.objects) - 1)
        predicted = data.object_xy[end] - found.error[:, h - 1]
        errors = errors_after(h, data, starts, predicted, now, before)
        if len(errors.window) < FEWEST:
            continue
        episodes = found.episode[errors.window]
        model[h] = mean(1000 * errors.of["model"], episodes)
        for name, title in BASELINES.items():
            baselines[title][h] = mean(1000 * errors.of[name], episodes)
        counts[h] = len(errors.window)
    return model, baselines, counts


def _tool_errors(found: Outcomes, longest: int) -> ByHorizon:
    """Errors [mm] of the tool by horizon, over all windows."""
    result = {}
    for h in (h for h in HORIZONS if h <= longest):
        error = 1000 * np.linalg.norm(found.tool_error[:, h - 1], axis=1)
        known = np.isfinite(error)
        if known.sum() >= FEWEST:
            result[h] = mean(error[known], found.episode[known])
    return result


def _in_world(context: Context, found: Outcomes, world: int) -> Outcomes:
    return found.of(np.unique(context.data.episode[context.data.world == world]))


def _json(curve: ByHorizon) -> dict[str, Any]:
    return {str(h): estimate.json() for h, estimate in curve.items()}


def _table(
    curves: dict[str, ByHorizon], baselines: dict[str, ByHorizon], tools: dict[str, ByHorizon], counts: dict[int, int]
) -> Table:
    steps = [h for h in TABLED if h in counts]
    header = ["", *(f"{h} step{'s' * (h > 1)}" for h in steps)]
    rows = [
        [name, *(curve[h].text() if h in curve else "–" for h in steps)]
        for name, curve in {**curves, **baselines}.items()
    ]
    rows += [[f"{name}: tool", *(curve[h].text(2) for h in steps)] for name, curve in tools.items()]
    rows.append(["moving windows", *(str(counts[h]) for h in steps)])
    return Table(header, rows, "Mean error [mm] and 95 % interval after h steps of 0.1 s.")


def _world_table(worlds: dict[str, dict[str, ByHorizon]]) -> Table:
    rows = [
        [label, world, *(curve[h].text() if h in curve else "–" for h in BY_WORLD)]
        for label, by_world in worlds.items()
        for world, curve in by_world.items()
    ]
    return Table(
        ["", "world", *(f"{h} step{'s' * (h > 1)}" for h in BY_WORLD)], rows, "Mean object error [mm] by world."
    )


def _plot(curves: dict[str, ByHorizon], baselines: dict[str, ByHorizon], tools: dict[str, ByHorizon]) -> Picture:
    figure, (left, right) = plots.panels(2)
    colours = plots.colours(curves)
    for axes, lines in ((left, curves), (right, tools)):
        for label, curve in lines.items():
            plots.band(axes, curve, colours[label], label)
        axes.set_xlabel("horizon [steps of 0.1 s]")
    for (name, curve), dashes in zip(baselines.items(), ("--", ":"), strict=True):
        left.plot(list(curve), [e.value for e in curve.values()], dashes, color=plots.BASELINE, label=name)
    shown = [*curves.values(), baselines[BASELINES["copy_last"]]]
    top = 1.1 * max(estimate.value for curve in shown for estimate in curve.values())
    left.set(ylabel="mean object error [mm]", ylim=(0, top), title="object, moving windows")
    right.set(ylabel="mean tool error [mm]", title="tool, all windows")
    right.set_ylim(bottom=0)
    plots.legend_below(figure, left)
    return Picture(
        plots.png(figure), "Error by horizon; bands are 95 % intervals. Constant velocity soon leaves the plot."
    )
