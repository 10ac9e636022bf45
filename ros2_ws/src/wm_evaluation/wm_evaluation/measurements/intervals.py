"""Intervals around imagined positions: do they hold what they say, how wide are they, and does wide mean wrong."""

from statistics import NormalDist
from typing import Any

import numpy as np

from wm_core.bundle import Bundle
from wm_dynamics.calibration import Calibration
from wm_evaluation import plots
from wm_evaluation.measurement import Context
from wm_evaluation.section import Picture, Section, Table
from wm_evaluation.stats import Estimate, mean, spearman
from wm_learning.calibration.intervals import LEVELS, MOVED, Outcomes, conformal_quantile, fit, half_width, outcomes

STEPS = (1, 5, 10, 20)
NINETY = LEVELS.index(0.9)
SHOWN = 10  # steps of the plot of error against width
GROUPS = 10  # of that plot
PROTOCOL = """\
From every step of every held-out episode the recorded actions are imagined; object x and y count apart, all windows, moving or not.
Calibrated: the bundle's own intervals (conformal multipliers by horizon and predicted motion). Predicted: the ensemble's mixture taken
for a normal distribution, as the model says it. One width: for each horizon the same interval for all, fitted to the errors of the
other half of these episodes; what intervals are worth that know nothing of the situation. Sharpness: mean half width at 90 %. Score:
weighted interval score over all levels, smaller is better; it rewards narrow intervals, punishes misses, and approximates the CRPS
(Bracher et al. 2021). Correlation: Spearman's, of the error with the predicted deviation, and with the ensemble's disagreement alone.
In brackets: 95 % intervals, bootstrap over episodes."""


def measure(context: Context) -> Section:
    """Coverage, sharpness and score; raises ValueError when the episodes are too short or too few."""
    data, figures = context.data, {}
    episodes = np.unique(data.episode)
    if len(episodes) < 2:
        raise ValueError(f"expected at least two episodes, got {len(episodes)}; give more data")
    found, widths, notes = {}, {}, []
    for label, bundle in context.bundles.items():
        found[label] = outcomes(bundle, data, context.seen(label).mean, STEPS[-1])
        widths[label], crossed = _widths(bundle, found[label], data.fingerprint())
        if crossed:
            notes.append(
                f"{label} was calibrated on these very episodes: its multipliers are fitted to one half for the other."
            )
        figures[label] = {kind: _kind(found[label], wide) for kind, wide in widths[label].items()}
        figures[label]["correlation"] = _correlation(found[label])
        figures[label]["best"] = figures[label].get("calibrated", figures[label]["predicted"])
    tables = [_table(figures), _level_table(figures), _correlation_table(figures)]
    pictures = [_reliability(context, figures), _wide_is_wrong(context, found)]
    return Section("intervals", "Calibrated intervals", " ".join([PROTOCOL, *notes]), figures, tables, pictures)


def _widths(bundle: Bundle, found: Outcomes, fingerprint: str) -> tuple[dict[str, np.ndarray], bool]:
    """Half widths (n, steps, levels, 2) [m] by kind; whether the calibrated ones had to be fitted to these data by halves."""
    factors = np.array([NormalDist().inv_cdf((1 + level) / 2) for level in LEVELS])
    columns = np.array(STEPS) - 1
    kinds = {"predicted": factors[:, None] * found.deviation[:, columns, None]}
    calibration = Calibration.of(bundle)
    crossed = False
    if calibration is not None:
        crossed = bundle.spec["calibration"].get("data", {}).get("fingerprint") == fingerprint
        kinds["calibrated"] = (
            _by_halves(found, lambda a, b: _calibrated(fit(a), b)) if crossed else _calibrated(calibration, found)
        )
    kinds["one width"] = _by_halves(found, _one_width)
    return kinds, crossed


def _by_halves(found: Outcomes, widths: Any) -> np.ndarray:
    """Half widths for the outcomes of each half of the episodes by `widths`(other half, this half)."""
    episodes = np.unique(found.episode)
    result = np.empty((len(found.episode), len(STEPS), len(LEVELS), 2))
    for mine, other in ((episodes[::2], episodes[1::2]), (episodes[1::2], episodes[::2])):
        result[np.isin(found.episode, mine)] = widths(found.of(other), found.of(mine))
    return result


def _calibrated(calibration: Calibration, found: Outcomes) -> np.ndarray:
    return np.stack([np.stack([half_width(calibration, found, s, v) for v in LEVELS], 1) for s in STEPS], 1)


def _one_width(other: Outcomes, mine: Outcomes) -> np.ndarray:
    errors = [np.abs(other.error[:, step - 1]) for step in STEPS]
    wide = [[conformal_quantile(e[np.isfinite(e)], level) for level in LEVELS] for e in errors]
    return np.broadcast_to(np.array(wide)[None, :, :, None], (len(mine.episode), len(STEPS), len(LEVELS), 2))


def _kind(found: Outcomes, widths: np.ndarray) -> dict[str, Any]:
    """Coverage by level and step, at 90 % of objects predicted to move too; half width and score [mm] by step."""
    result: dict[str, Any] = {"coverage": {str(level): {} for level in LEVELS}}
    for name in ("coverage_moving", "half_width_mm", "score_mm"):
        result[name] = {}
    for i, step in enumerate(STEPS):
        error, wide = np.abs(found.error[:, step - 1]), widths[:, i]
        known = np.isfinite(error).all(1)
        episodes = found.episode[known]
        inside = (error[:, None] <= wide).mean(-1)
        for k, level in enumerate(LEVELS):
            result["coverage"][str(level)][str(step)] = mean(inside[known, k], episodes).json()
        moving = known & (found.motion[:, step - 1] > MOVED)
        result["coverage_moving"][str(step)] = mean(inside[moving, NINETY], found.episode[moving]).json()
        result["half_width_mm"][str(step)] = mean(1000 * wide[known, NINETY].mean(-1), episodes).json()
        result["score_mm"][str(step)] = mean(1000 * interval_score(error, wide).mean(-1)[known], episodes).json()
    return result


def interval_score(error: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Weighted interval score (n, 2) of absolute errors (n, 2) and half widths (n, levels, 2) around the prediction.

    Bracher et al. 2021, "Evaluating epidemic forecasts in an interval format", equation 1.
    """
    score = 0.5 * error
    for k, level in enumerate(LEVELS):
        alpha = 1 - level
        score = score + alpha / 2 * (2 * widths[:, k] + 2 / alpha * np.maximum(0, error - widths[:, k]))
    return score / (len(LEVELS) + 0.5)


def _correlation(found: Outcomes) -> dict[str, dict[str, float]]:
    """Of the error with what the model says of its doubt, by step."""
    result: dict[str, dict[str, float]] = {"deviation": {}, "disagreement": {}}
    for step in STEPS:
        error = np.linalg.norm(found.error[:, step - 1], axis=-1)
        known = np.isfinite(error)
        doubts = {
            "deviation": np.linalg.norm(found.deviation[:, step - 1], axis=-1),
            "disagreement": found.disagreement[:, step - 1],
        }
        for name, doubt in doubts.items():
            result[name][str(step)] = spearman(error[known], doubt[known])
    return result


def _text(figure: dict[str, float], digits: int = 1, scale: float = 1.0) -> str:
    return Estimate(**figure).text(digits, scale)


def _table(figures: dict[str, Any]) -> Table:
    steps = " / ".join(map(str, STEPS))
    header = ["", "intervals", f"hold at {steps} steps [%]", "half width [mm]", "score [mm]"]
    rows = []
    for label, kinds in figures.items():
        for kind in ("calibrated", "predicted", "one width"):
            if kind in kinds:
                own = kinds[kind]
                lines = ((own["coverage"]["0.9"], 100, 1), (own["half_width_mm"], 1, 1), (own["score_mm"], 1, 2))
                cells = [" / ".join(f"{k * line[str(s)]['value']:.{d}f}" for s in STEPS) for line, k, d in lines]
                rows.append([label, kind, *cells])
    return Table(
        header,
        rows,
        "Intervals of 90 %: share of the outcomes that they hold, and mean half width; score over all levels.",
    )


def _level_table(figures: dict[str, Any]) -> Table:
    header = ["", "should hold", *(f"{s} step{'s' * (s > 1)}" for s in STEPS)]
    rows = []
    for label, kinds in figures.items():
        own = kinds["best"]
        for level in LEVELS:
            rows.append(
                [label, f"{100 * level:.0f} %", *(_text(own["coverage"][str(level)][str(s)], 1, 100) for s in STEPS)]
            )
        rows.append([label, "90 %, predicted to move", *(_text(own["coverage_moving"][str(s)], 1, 100) for s in STEPS)])
    return Table(header, rows, "Share of the outcomes inside [%], calibrated where the bundle is.")


def _correlation_table(figures: dict[str, Any]) -> Table:
    rows = [
        [label, name, *(f"{kinds['correlation'][name][str(s)]:.2f}" for s in STEPS)]
        for label, kinds in figures.items()
        for name in ("deviation", "disagreement")
    ]
    header = ["", "of the error with", *(f"{s} step{'s' * (s > 1)}" for s in STEPS)]
    return Table(header, rows, "Rank correlation of error and doubt.")


def _reliability(context: Context, figures: dict[str, Any]) -> Picture:
    figure, axes = plots.panels(len(STEPS), width=2.7, height=3.1)
    colours = plots.colours(context.bundles)
    for ax, step in zip(axes, STEPS, strict=True):
        ax.plot([0.4, 1], [0.4, 1], color=plots.BASELINE, linewidth=1)
        for label, kinds in figures.items():
            for kind, dashes in (("calibrated", "-o"), ("predicted", ":x")):
                if kind in kinds:
                    held = [kinds[kind]["coverage"][str(level)][str(step)]["value"] for level in LEVELS]
                    ax.plot(LEVELS, held, dashes, color=colours[label], markersize=4, label=f"{label}, {kind}")
        ax.set(title=f"{step} step{'s' * (step > 1)}", xlabel="should hold", xlim=(0.45, 1), ylim=(0.25, 1.02))
    axes[0].set_ylabel("holds, share of the outcomes")
    plots.legend_below(figure, axes[-1], 4)
    return Picture(plots.png(figure), "Reliability: below the grey line the model is too sure, above it too careful.")


def _wide_is_wrong(context: Context, found: dict[str, Outcomes]) -> Picture:
    figure, (axes,) = plots.panels(1, width=5.0, height=3.4)
    colours = plots.colours(context.bundles)
    reach: list[float] = []
    for label, own in found.items():
        error = 1000 * np.linalg.norm(own.error[:, SHOWN - 1], axis=-1)
        doubt = 1000 * np.linalg.norm(own.deviation[:, SHOWN - 1], axis=-1)
        order = np.argsort(doubt)
        order = order[np.isfinite(error[order])]
        parts = np.array_split(order, GROUPS)
        x, y = [doubt[p].mean() for p in parts], [np.sqrt((error[p] ** 2).mean()) for p in parts]
        axes.loglog(x, y, "-o", color=colours[label], markersize=4, label=label)
        reach += [*x, *y]
    ends = [min(reach), max(reach)]
    axes.loglog(ends, ends, color=plots.BASELINE, linewidth=1, label="as predicted")
    axes.set(xlabel="predicted deviation [mm]", ylabel="root mean square error [mm]")
    axes.set_title(f"error by predicted deviation, {SHOWN} steps")
    axes.legend(frameon=False)
    return Picture(plots.png(figure), f"Windows in {GROUPS} groups of equal size by predicted deviation.")
