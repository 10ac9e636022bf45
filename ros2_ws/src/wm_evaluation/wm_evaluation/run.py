"""An evaluation from beginning to end: bundles, held-out data, measurements, report."""

import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from wm_core.bundle import Bundle
from wm_core.paths import worlds_dir
from wm_core.revision import revision
from wm_data.dataset import Dataset
from wm_data.loading import load_data
from wm_evaluation.held_out import EPISODES, check_steps, collect_held_out, held_out
from wm_evaluation.kept import Finished, Kept, plain, write
from wm_evaluation.measurement import Context
from wm_evaluation.registry import ENTRIES, NAMES, Entry
from wm_evaluation.report import Report
from wm_sim.world import load_world
from wm_tasks.settings import TRAINING_SEEDS


@dataclass(frozen=True)
class Settings:
    """What is to be evaluated, and how thoroughly."""

    bundles: Sequence[Path]  # the judged one first
    out: Path  # folder of the report
    data: Sequence[Path] = ()  # datasets or bags; without any, episodes are collected under `out`
    only: Sequence[str] = NAMES
    world: str = "tabletop_block"
    first_seed: int = TRAINING_SEEDS
    effort: float = 1.0
    workers: int = 2


def evaluate(settings: Settings) -> Report:
    """Measure and write `out`/report.html and `out`/report.json; a measurement that fails is reported as failed.

    What an earlier run with the same bundles, data and settings has finished is taken over. Raises ValueError (BundleError,
    DatasetError, SettingError among them) for what cannot be evaluated at all.
    """
    if unknown := set(settings.only) - set(NAMES):
        raise ValueError(f"expected measurements out of {', '.join(NAMES)}, got {', '.join(sorted(unknown))}")
    if not 0 < settings.effort <= 10:
        raise ValueError(f"expected an effort above 0 and up to 10, got {settings.effort:g}; 1 is the usual one")
    load_world(worlds_dir() / f"{settings.world}.yaml")
    bundles = load_bundles(settings.bundles)
    check_steps(bundles)
    data, notes = held_out(bundles, _data(settings, bundles))
    context = Context(bundles, data, settings.world, settings.first_seed, settings.effort, settings.workers)
    entries = [entry for entry in ENTRIES if entry.name in settings.only]
    kept = Kept(settings.out / "sections", context)
    finished: dict[str, Finished] = {}
    failed: dict[str, str] = {}
    for number, entry in enumerate(entries, 1):
        try:
            finished[entry.name] = _measure(entry, context, kept, f"[{number}/{len(entries)}]")
        except Exception as error:  # whatever one measurement does, the others are made and the reason is reported
            failed[entry.name] = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            if not isinstance(error, ValueError):
                traceback.print_exc()
            print(f"{entry.name}: failed: {failed[entry.name]}", file=sys.stderr, flush=True)
    facts = {label: _facts(bundle) for label, bundle in bundles.items()}
    report = Report(facts, _about(settings, data), [_describe(data), *notes], entries, finished, failed)
    write(settings.out / "report.json", json.dumps(report.json(), indent=1, allow_nan=False) + "\n")
    write(settings.out / "report.html", report.html())
    return report


def load_bundles(folders: Sequence[Path]) -> dict[str, Bundle]:
    """Bundles by the name of their folder, or by as much of its path as tells them apart; raises BundleError."""
    paths = [folder.expanduser().resolve() for folder in folders]
    if len(set(paths)) < len(paths):
        raise ValueError(f"expected different bundles, got {', '.join(map(str, folders))}")
    count = 1
    while len({path.parts[-count:] for path in paths}) < len(paths):
        count += 1
    return {"/".join(path.parts[-count:]): Bundle.load(path) for path in paths}


def _measure(entry: Entry, context: Context, kept: Kept, place: str) -> Finished:
    before = kept.load(entry)
    if before is not None:
        print(f"{place} {entry.name}: finished before", flush=True)
        return before
    print(f"{place} {entry.name}: {entry.says}", flush=True)
    began = time.monotonic()
    section = entry.module().measure(context)
    kept.save(entry, Finished(section, time.monotonic() - began))
    made = kept.load(entry)
    assert made is not None  # as a later run will read it, so that both say the same
    print(f"{place} {entry.name}: {made.seconds:.0f} s", flush=True)
    return made


def _data(settings: Settings, bundles: dict[str, Bundle]) -> Dataset:
    work = settings.out / "data"
    if settings.data:
        return load_data(list(settings.data), work, settings.workers)
    episodes = max(1, round(settings.effort * EPISODES))
    judged = next(iter(bundles.values()))
    return collect_held_out(judged, settings.world, work, settings.first_seed, episodes, settings.workers)


def _facts(bundle: Bundle) -> dict[str, Any]:
    """What the report says of a bundle."""
    data = bundle.spec.get("data", {})
    size = sum((bundle.path / name).stat().st_size for name in bundle.spec["files"])
    seconds = data.get("training_s")
    return {
        "id": bundle.id,
        "family": bundle.family,
        "trained on": f"{data.get('episodes', '?')} episodes, {data.get('steps', '?')} steps",
        "worlds": ", ".join(data.get("worlds", [])) or "?",
        "training": "?" if seconds is None else f"{seconds / 60:.0f} min",
        "calibrated": "yes" if "calibration" in bundle.spec else "no",
        "novelty": "yes" if "novelty" in bundle.spec else "no",
        "policy": "yes" if bundle.has("policy") else "no",
        "jumps": "yes" if bundle.has("jump") else "no",
        "size": f"{size / 1e6:.1f} MB",
    }


def _about(settings: Settings, data: Dataset) -> dict[str, Any]:
    return plain(
        {
            "made": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "revision": revision(),
            "machine": f"{os.cpu_count()} CPUs ({_processor()}), Python {platform.python_version()}",
            "world": settings.world,
            "first_seed": settings.first_seed,
            "effort": settings.effort,
            "data": {
                "fingerprint": data.fingerprint(),
                "worlds": data.worlds,
                "episodes": len(np.unique(data.episode)),
                "steps": len(data.episode),
            },
        }
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def _describe(data: Dataset) -> str:
    episodes = np.unique(data.episode)
    seeds = [data.seeds[episode] for episode in episodes]
    return (
        f"Held-out data: {len(episodes)} episodes, {len(data.episode)} steps of 0.1 s, seeds {min(seeds)} to {max(seeds)},"
        f" worlds {', '.join(data.worlds)}. No bundle was trained on it."
    )
