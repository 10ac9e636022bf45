"""Measures a candidate beside the promoted bundle: the same goals, the same held-out windows, the same machine."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from wm_core.bundle import Bundle
from wm_core.config import SettingError
from wm_core.paths import worlds_dir
from wm_core.workers import run_all
from wm_data.collect import collect
from wm_data.dataset import Dataset
from wm_data.labels import RECORDED, labelled
from wm_data.loading import load_data
from wm_dynamics.calibration import LEVEL, Calibration
from wm_evaluation.gate.limits import NEW, OLD, Domain, Goals, Predictions
from wm_evaluation.held_out import check_steps, held_out
from wm_evaluation.measurement import Context
from wm_evaluation.measurements import cost
from wm_evaluation.measurements.closed_loop import MAX_STEPS, PLANNER, run
from wm_evaluation.stats import Estimate, mean
from wm_learning.calibration.intervals import Outcomes, half_width, outcomes
from wm_learning.figures.horizons import errors_after
from wm_sim.world import load_world
from wm_tasks.settings import STEP_NS

REACHED = 0.02  # [m]
STEPS = 10  # of the open-loop error
COVERED = (1, 5, 10)  # steps at which intervals are looked at
FEWEST = 20  # moving windows
EPISODES, LENGTH = 20, 60  # collected in each world where no data is given
REPEATS = 200


def places(given: Sequence[str | Path]) -> tuple[list[str], list[Path]]:
    """Worlds and folders of data among names and paths; raises WorldError for what is neither."""
    data = [Path(place).expanduser() for place in given if Path(place).expanduser().is_dir()]
    worlds = [str(place) for place in given if not Path(place).expanduser().is_dir()]
    for world in worlds:
        load_world(world)
    return worlds, data


def trained_worlds(bundle: Bundle) -> list[str]:
    """The worlds by name that a bundle was trained on, as far as they are among the shipped ones; raises SettingError without any."""
    known = [world for world in bundle.spec.get("data", {}).get("worlds", []) if _shipped(world)]
    if not known:
        raise SettingError(f"expected --old: a world or data that {bundle.id} knows; it does not say itself")
    return known


def forgotten_worlds(bundle: Bundle) -> list[str]:
    """The others: their files are not known here."""
    return [world for world in bundle.spec.get("data", {}).get("worlds", []) if not _shipped(world)]


def _shipped(world: str) -> bool:
    return (worlds_dir() / f"{world}.yaml").is_file()


def measure(
    bundles: Mapping[str, Bundle],
    given: Sequence[str | Path],
    work: Path,
    goals: int,
    first_seed: int,
    workers: int,
    labels: str = RECORDED,
) -> tuple[Domain, list[Context], list[str]]:
    """One domain: `bundles` are OLD and NEW, `given` worlds and data; `labels` of the data, as in fine-tuning.

    Returns what was measured, the contexts of its data, and sentences about what was left out. Without data, episodes are
    collected in the worlds under `work` (once).
    """
    check_steps(bundles)
    worlds, data = places(given)
    notes, contexts, found = [], [], []
    for name, loaded in _data(worlds, data, work, first_seed, workers).items():
        kept, left_out = held_out(dict(bundles), labelled(loaded, labels if data else RECORDED))
        notes += [f"{name}: {sentence}" for sentence in left_out]
        context = Context(dict(bundles), kept, first_seed=first_seed)
        contexts.append(context)
        found.append(_predictions(name, context))
    return Domain(_goals(bundles, worlds, goals, first_seed, workers), found), contexts, notes


def latency_ms(context: Context) -> dict[str, float]:
    """95 % quantile of the CPU time [ms] of a decision by label: what else the machine does hardly matters."""
    found = {}
    for label in context.bundles:
        spent = cost.spend(cost.calls(context, label)["decision"], REPEATS)
        found[label] = float(np.quantile(spent.cpu, 0.95))
    return found


def _data(worlds: list[str], data: list[Path], work: Path, first_seed: int, workers: int) -> dict[str, Dataset]:
    if data:
        return {place.name: load_data([place], work / place.name, workers) for place in data}
    parts = []
    for world in worlds:
        file = Path(world) if Path(world).suffix in (".yaml", ".yml") else worlds_dir() / f"{world}.yaml"
        content = hashlib.sha256(file.read_bytes()).hexdigest()[:8]  # another world under the same name is another one
        folder = work / f"{load_world(world).name}_{content}_{first_seed}_{EPISODES}x{LENGTH}"
        bags = collect([world], EPISODES, LENGTH, folder / "bags", first_seed, workers)
        parts.append(load_data(bags, folder, workers))
    return {"collected": Dataset.join(parts)}


def _goals(bundles: Mapping[str, Bundle], worlds: list[str], count: int, first_seed: int, workers: int) -> Goals | None:
    if not worlds:
        return None
    seeds = range(first_seed, first_seed + count)
    calls = [(world, bundles[side].path, PLANNER, seed) for world in worlds for side in (OLD, NEW) for seed in seeds]
    finished = run_all(run, calls, workers)
    reached: dict[str, list[bool]] = {OLD: [], NEW: []}
    seconds: dict[str, list[float]] = {OLD: [], NEW: []}
    for _ in worlds:
        for side in (OLD, NEW):
            for result in islice(finished, count):
                reached[side].append(result.final_distance <= REACHED)
                seconds[side].append((result.steps if reached[side][-1] else MAX_STEPS) * STEP_NS / 1e9)
    names = np.repeat([load_world(world).name for world in worlds], count)
    return Goals(
        names,
        {side: np.array(values) for side, values in reached.items()},
        {side: np.array(values) for side, values in seconds.items()},
    )


def _predictions(name: str, context: Context) -> Predictions:
    """Raises ValueError where the object hardly moves, or episodes are short."""
    data, error, covered = context.data, {}, {}
    for side, bundle in context.bundles.items():
        found = outcomes(bundle, data, context.seen(side).mean, STEPS)
        starts = found.start
        now, before = data.object_xy[starts].astype(float), data.object_xy[starts - 1].astype(float)
        end = np.minimum(starts + STEPS, len(data.objects) - 1)
        errors = errors_after(STEPS, data, starts, data.object_xy[end] - found.error[:, STEPS - 1], now, before)
        if len(errors.window) < FEWEST:
            raise ValueError(
                f"{name}: expected at least {FEWEST} held-out windows of {STEPS} steps in which the object moves, got"
                f" {len(errors.window)}; give more data"
            )
        error[side], episode = errors.of["model"], found.episode[errors.window]
        covered[side] = _covered(bundle, found)
    return Predictions(name, error, episode, STEPS, covered)


def _covered(bundle: Bundle, found: Outcomes) -> Estimate | None:
    """Share of the outcomes, x and y apart, that the bundle's 90 % intervals hold; None without calibration."""
    calibration = Calibration.of(bundle)
    if calibration is None:
        return None
    inside, episodes = [], []
    for step in COVERED:
        distance = np.abs(found.error[:, step - 1])
        known = np.isfinite(distance).all(1)
        inside.append((distance <= half_width(calibration, found, step, LEVEL))[known].mean(1))
        episodes.append(found.episode[known])
    return mean(np.concatenate(inside), np.concatenate(episodes))
