"""From bags to a bundle: dataset, training, held-out figures, export. A killed run goes on where it was."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from wm_core.bundle import Bundle
from wm_core.config import SettingError, configure
from wm_core.revision import revision
from wm_data.dataset import Dataset
from wm_learning.calibration.intervals import calibrate, calibrate_new
from wm_learning.export.bundle import export_bundle
from wm_learning.families import FAMILIES, phases, pretraining
from wm_learning.families.schedule import in_steps_of
from wm_learning.figures.held_out import evaluate
from wm_learning.training.embeddings import embed
from wm_learning.training.parallel import Processes
from wm_learning.training.trainer import Trainer


@dataclass(frozen=True)
class Pretraining:
    """Numbers of the phase on video, where there is some."""

    steps: int = 2000


@dataclass(frozen=True)
class RunSettings:
    """Settings of a run that do not depend on the family."""

    family: str = "grounded"
    seed: int = 0
    threads: int = 2
    validation_share: float = 0.06  # of the episodes
    checkpoint_s: float = 60.0  # [s] of work that a kill may cost
    pretraining: Pretraining = field(default_factory=Pretraining)


def split(data: Dataset, settings: RunSettings) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation episode numbers, split by episode."""
    episodes = np.unique(data.episode)
    rng = np.random.default_rng(settings.seed)
    rng.shuffle(episodes)
    held_out = max(1, round(len(episodes) * settings.validation_share))
    return np.sort(episodes[held_out:]), np.sort(episodes[:held_out])


def train_bundle(
    data: Dataset,
    folder: Path,
    settings: RunSettings,
    own: dict[str, Any] | None = None,
    video: Dataset | None = None,
) -> Path:
    """Train a family on a dataset and export the bundle to `folder`; `own`: nested settings of the family.

    What of the family's defaults takes time is so many steps of the data as take as long; what `own` says is in steps.

    `video`: what the model sees before, without commands and labels.

    What the run needs to go on after a kill, its settings and its curves are kept beside the bundle, in `folder`.run.
    """
    if settings.family not in FAMILIES:
        raise SettingError(f"expected a family out of {', '.join(FAMILIES)}, got '{settings.family}'")
    if data.video:
        raise SettingError(
            "expected commands in the data (wm/executed), got video; use it as pretrain=, beside data= with some"
        )
    if not np.isfinite(data.objects).all():
        raise ValueError(
            "expected object labels in every step (ground_truth/object_pose); record them or label the bags first"
        )
    family = FAMILIES[settings.family]
    config: Any = configure(family.config, asdict(in_steps_of(family.config(), data.step_duration)), own or {})
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    model = family.model(config, data.spec, data.steps)
    work = folder.with_name(f"{folder.name}.run")
    fingerprint = data.fingerprint()
    facts = {**asdict(settings), settings.family: asdict(config), "data": fingerprint}
    numbers = facts.pop("pretraining")
    if video is not None:
        _check_video(video, data)
        facts["pretraining"] = {**numbers, "video": video.fingerprint(), "video_steps": len(video.episode)}
    processes = Processes.join()
    if processes.first:
        remember(work, facts)
    training, held_out = split(data, settings)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    trainer = Trainer(model, work, settings.seed, settings.checkpoint_s, device)
    before = pretraining(model, video, settings.pretraining.steps) if video is not None else []
    spent = trainer.run([*before, *phases(model, data, training, held_out)])
    if not processes.first:
        return folder
    model = model.cpu()
    figures = evaluate(model, data, embed(model, data), held_out)
    for name, value in figures.metrics().items():
        print(f"held out {name}: {value}")
    identity = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]
    export_bundle(
        model,
        folder,
        f"{settings.family}-{identity}",
        surprise_threshold=figures.surprise_threshold,
        data={
            "worlds": data.worlds,
            "episodes": len(np.unique(data.episode)),
            "steps": len(data.episode),
            "seeds": [min(data.seeds), max(data.seeds)],
            "fingerprint": fingerprint,
            "validation_episodes": len(held_out),
            "training": facts,
            "revision": revision(),
            "training_s": round(spent),
        },
        metrics=figures.metrics(),
    )
    calibrate_new(calibrate, folder, data.subset(held_out))
    print(f"exported {folder} after {spent:.0f} s of training")
    return folder


def _check_video(video: Dataset, data: Dataset) -> None:
    """Raises SettingError when a model of `data` cannot see the video, or its held-out episodes are in it."""
    if video.spec != data.spec:
        raise SettingError(
            f"expected the same maps in data= and pretrain=, got {data.spec} and {video.spec}; build them again from their bags"
        )
    paths, seen = (
        {path.tobytes() for path in np.split(part.tool, np.flatnonzero(np.diff(part.episode)) + 1)}
        for part in (data, video)
    )
    if common := len(paths & seen):
        raise SettingError(
            f"expected other episodes in pretrain= than in data=, got {common} that are in both: those held out to judge the"
            " model would be seen before"
        )


def unseen(folder: Path, data: Dataset) -> Dataset:
    """What of `data` the bundle in `folder` was not trained on: the held-out episodes, if it is the data of its training."""
    facts, mine = Bundle.load(folder).spec.get("data", {}), data.fingerprint()
    for part in facts.get("parts", {}).values():  # of a fine-tuning
        if part["fingerprint"] == mine:
            return data.subset(np.array(part["held_out"]))
    if facts.get("fingerprint") != mine:
        return data
    known = {name: facts["training"][name] for name in ("seed", "validation_share")}
    return data.subset(split(data, RunSettings(**known))[1])


def remember(work: Path, facts: dict[str, Any]) -> None:
    """Write the settings of a run, or compare them with those of the run that is to go on."""
    file = work / "settings.yaml"
    if file.is_file():
        before = yaml.safe_load(file.read_text())
        if before != facts:
            changed = sorted(
                key for key in facts.keys() | (before or {}).keys() if (before or {}).get(key) != facts.get(key)
            )
            raise SettingError(
                f"{work} holds a run with another {', '.join(changed)}; remove it or choose another out="
            )
        return
    work.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(yaml.safe_dump(facts, sort_keys=False))
    part.replace(file)
