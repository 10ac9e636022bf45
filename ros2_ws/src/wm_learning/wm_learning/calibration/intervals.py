"""Fits the intervals of a bundle to held-out outcomes, and measures how many of these they hold; novelty is fitted with them."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from wm_core.bundle import Bundle
from wm_data.beliefs import beliefs, embeddings
from wm_data.dataset import Dataset
from wm_dynamics.calibration import Calibration, deviation, motion
from wm_dynamics.rollout import RolloutEngine
from wm_learning.calibration.novelty import fit_reference

LEVELS = (0.5, 0.8, 0.9, 0.95)
STEPS = (1, 2, 3, 5, 8, 10, 12, 16, 20, 30, 40)
MOVED = 0.005  # [m]
FLOOR = 0.0005  # [m]
BURN_IN = 6  # observations before a prediction
FEWEST = 100  # outcomes of a class below which both classes share their multipliers
BATCH = 64  # windows imagined at once
REPORTED = (1, 5, 10)  # steps of the coverage that is written into the bundle


@dataclass(frozen=True)
class Outcomes:
    """Predictions from n beliefs over H steps beside what happened; NaN where an episode was over, and within jumps."""

    error: np.ndarray  # (n, H, 2) [m] true minus predicted object position
    deviation: np.ndarray  # (n, H, 2) [m] predicted
    motion: np.ndarray  # (n, H) [m] predicted
    moved: np.ndarray  # (n, H) [m] how far the object really was from where it started
    disagreement: np.ndarray  # (n, H) [m] of the ensemble
    tool_error: np.ndarray  # (n, H, 2) [m] true minus predicted tool position
    start: np.ndarray  # (n,) step of the dataset from which was imagined
    episode: np.ndarray  # (n,)

    def of(self, episodes: np.ndarray) -> "Outcomes":
        """Only those of some episodes."""
        keep = np.isin(self.episode, episodes)
        return Outcomes(**{name: getattr(self, name)[keep] for name in self.__dataclass_fields__})


def outcomes(
    bundle: Bundle, data: Dataset, means: np.ndarray, longest: int = STEPS[-1], macro: bool = False
) -> Outcomes:
    """Imagine up to `longest` recorded actions from every belief mean (T, L) after the burn-in of its episode; `macro`: in jumps."""
    engine = RolloutEngine(bundle, macro)
    instants = np.cumsum(engine.spans(engine.count(longest)))
    longest, ends = instants[-1], instants - 1
    starts = data.windows(BURN_IN + 2) + BURN_IN
    steps = starts[:, None] + np.arange(1, longest + 1)
    over = (steps >= len(data.episode)) | (
        data.episode[np.minimum(steps, len(data.episode) - 1)] != data.episode[starts, None]
    )
    reached = np.where(over, starts[:, None], steps)
    truth, tool = data.object_xy[reached].astype(float), data.tool_xy[reached].astype(float)
    actions = np.where(over[..., None], 0, data.action[np.minimum(steps - 1, len(data.episode) - 1)]).astype(np.float32)
    predicted, reach, wide = (np.full_like(truth, np.nan) for _ in range(3))
    far, apart = np.full(over.shape, np.nan), np.full(over.shape, np.nan)
    for i in range(0, len(starts), BATCH):
        part = slice(i, i + BATCH)
        futures = engine.rollout(means[starts[part]][None], actions[part])
        predicted[part, ends], reach[part, ends] = futures.mean_object(), futures.mean_tool()
        wide[part, ends], far[part, ends] = deviation(futures, FLOOR), motion(futures)
        apart[part, ends] = futures.epistemic_std()
    error, tool_error = (np.where(over[..., None], np.nan, gap) for gap in (truth - predicted, tool - reach))
    moved = np.linalg.norm(truth - data.object_xy[starts, None], axis=-1)
    return Outcomes(error, wide, far, moved, apart, tool_error, starts, data.episode[starts])


def fit(found: Outcomes, horizons: Sequence[int] = STEPS) -> Calibration:
    """Multipliers for the `horizons` of which there are enough outcomes; raises ValueError when there is none."""
    known = np.isfinite(found.error).all(2)
    steps = tuple(step for step in horizons if step <= known.shape[1] and known[:, step - 1].sum() >= FEWEST)
    if not steps:
        raise ValueError(f"expected at least {FEWEST} held-out outcomes, got {known.sum(0).max()}; give more data")
    table = np.empty((2, len(steps), len(LEVELS)))
    for i, step in enumerate(steps):
        score = np.abs(found.error[:, step - 1]) / found.deviation[:, step - 1]
        moving = found.motion[:, step - 1] > MOVED
        for kind in (0, 1):
            mine = known[:, step - 1] & (moving == bool(kind))
            scores = score[mine if mine.sum() >= FEWEST else known[:, step - 1]].ravel()
            table[kind, i] = [conformal_quantile(scores, level) for level in LEVELS]
    return Calibration(LEVELS, steps, MOVED, FLOOR, np.maximum(table, 1e-3))


def fit_each(found: Outcomes, groups: Sequence[np.ndarray], horizons: Sequence[int] = STEPS) -> Calibration:
    """As `fit`, and the larger multipliers where a group of episodes needs them: so that the intervals hold in each, not only in the
    mixture (Mondrian, as the classes; which group a prediction belongs to is not known). A group of too few outcomes has no say.
    """
    widest = fit(found, horizons)
    for group in groups:
        try:
            own = fit(found.of(group), horizons)
        except ValueError:
            continue
        there = [[np.interp(widest.steps, own.steps, column) for column in table.T] for table in own.multipliers]
        widest = replace(widest, multipliers=np.maximum(widest.multipliers, np.array(there).transpose(0, 2, 1)))
    return widest


def conformal_quantile(scores: np.ndarray, level: float) -> float:
    """The ceil((n + 1) level) smallest of n scores: holds a new one with at least that probability (Vovk et al. 2005)."""
    rank = min(len(scores), int(np.ceil((len(scores) + 1) * level)))
    return float(np.partition(scores, rank - 1)[rank - 1])


def half_width(calibration: Calibration, found: Outcomes, step: int, level: float) -> np.ndarray:
    """Half widths (n, 2) [m] of the intervals of a level after `step` steps; as Calibration.half_width of all steps."""
    tables = calibration.multipliers[:, :, calibration.levels.index(level)]
    still, moving = (np.interp(step, calibration.steps, table) for table in tables)
    factor = np.where(found.motion[:, step - 1] > calibration.moved, moving, still)
    return factor[:, None] * found.deviation[:, step - 1]


def coverage(calibration: Calibration, found: Outcomes, steps: tuple[int, ...] = REPORTED) -> dict[str, Any]:
    """Share of outcomes (x and y apart) inside the intervals by class, level and step, and the mean half width [mm]."""
    result: dict[str, Any] = {}
    classes = {"all": np.ones_like(found.motion, bool), "predicted to move": found.motion > calibration.moved}
    for name, member in classes.items():
        shares: dict[str, dict[str, float]] = {}
        for level in calibration.levels:
            shares[str(level)] = {}
            for step in steps:
                column = step - 1
                known = np.isfinite(found.error[:, column]).all(1) & member[:, column]
                wide = half_width(calibration, found, step, level)
                inside = np.abs(found.error[:, column]) <= wide
                shares[str(level)][str(step)] = round(float(inside[known].mean()), 4) if known.any() else float("nan")
                if level == 0.9:
                    sharp = result.setdefault("half width 0.9 [mm]", {}).setdefault(name, {})
                    sharp[str(step)] = round(1000 * float(wide[known].mean()), 2) if known.any() else float("nan")
        result[name] = shares
    return result


def calibrate(folder: Path, data: Dataset, groups: Sequence[np.ndarray] = ()) -> dict[str, Any]:
    """Fit intervals and novelty of the bundle in `folder` to `data`, which it was not trained on, and write them into bundle.yaml.

    `groups`: episodes of the domains among them, if several: the intervals are to hold in each. Returns the coverage of each half of
    the episodes by intervals that were fitted to the other half. Raises ValueError for too little data and BundleError for a bundle
    that cannot be loaded; the bundle is then as it was.
    """
    loaded = Bundle.load(folder)
    # What an older calibration left may not fit any more; it is not needed to make a new one.
    bundle = replace(loaded, spec={k: v for k, v in loaded.spec.items() if k not in ("calibration", "novelty")})
    seen = embeddings(bundle, data)
    means = beliefs(bundle, data, seen)[0]
    block = _fitted(bundle, data, means, groups)
    spec = {**bundle.spec, "calibration": block, "novelty": fit_reference(bundle, data, seen).block()}
    if bundle.has("jump"):
        spec["macro"] = {**spec["macro"], "calibration": _fitted(bundle, data, means, groups, macro=True)}
    _write(folder, spec)
    return block["data"]["crossed_coverage"]


def calibrate_jumps(folder: Path, data: Dataset) -> dict[str, Any]:
    """The same for the jumps of the bundle alone."""
    bundle = Bundle.load(folder)
    block = _fitted(bundle, data, beliefs(bundle, data)[0], macro=True)
    _write(folder, {**bundle.spec, "macro": {**bundle.spec["macro"], "calibration": block}})
    return block["data"]["crossed_coverage"]


def calibrate_new(fit_to: Callable[..., dict[str, Any]], folder: Path, data: Dataset, **more: Any) -> None:
    """Calibrate a bundle that has just been made, by `calibrate` or `calibrate_jumps`, and say how well; it is of use without, too."""
    try:
        covered = fit_to(folder, data, **more)
        print(
            f"90 % intervals of one half of the held-out episodes hold, of the other, by step: {covered['all']['0.9']}"
        )
    except ValueError as error:
        print(f"not calibrated: {error}")


def _fitted(
    bundle: Bundle, data: Dataset, means: np.ndarray, groups: Sequence[np.ndarray] = (), macro: bool = False
) -> dict[str, Any]:
    """The calibration block of steps or jumps."""
    episodes = np.unique(data.episode)
    if len(episodes) < 2:
        raise ValueError(f"expected at least two held-out episodes, got {len(episodes)}; give more data")
    found = outcomes(bundle, data, means, macro=macro)
    horizons, reported = STEPS, REPORTED
    if macro:
        ends = range(bundle.horizon, STEPS[-1] + 1, bundle.spec["macro"]["steps"])
        horizons, reported = tuple(sorted({*STEPS, *ends})), (*REPORTED, *ends[1:4])
    halves = [coverage(fit_each(found.of(a), groups, horizons), found.of(b), reported) for a, b in _halves(episodes)]
    crossed = {name: _mean([half[name] for half in halves]) for name in halves[0]}
    block = fit_each(found, groups, horizons).block()
    block["data"] = {"fingerprint": data.fingerprint(), "episodes": len(episodes), "crossed_coverage": crossed}
    return block


def _halves(episodes: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    even, odd = episodes[::2], episodes[1::2]
    return [(even, odd), (odd, even)]


def _mean(tables: list[Any]) -> Any:
    if isinstance(tables[0], dict):
        return {key: _mean([table[key] for table in tables]) for key in tables[0]}
    return round(float(np.mean(tables)), 4)


def _write(folder: Path, spec: dict[str, Any]) -> None:
    """Replace bundle.yaml in one rename."""
    file = folder / "bundle.yaml"
    part = folder / "bundle.yaml.part"
    with open(part, "w") as stream:
        stream.write(yaml.safe_dump(spec, sort_keys=False, default_flow_style=None, width=140))
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)
