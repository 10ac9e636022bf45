"""Fine-tuning: a bundle's model goes on learning from new data, with old data among it so that nothing is forgotten."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wm_bags.steps.step_spec import StepSpec
from wm_core.bundle import Bundle
from wm_core.config import SettingError, configure
from wm_core.revision import revision
from wm_data.dataset import Dataset
from wm_data.labels import LABELS, RECORDED, labelled
from wm_learning.calibration.intervals import calibrate, calibrate_new
from wm_learning.export.bundle import export_bundle
from wm_learning.export.weights import change, load_model
from wm_learning.families import WorldModel, phases
from wm_learning.figures.held_out import HeldOut, evaluate
from wm_learning.pipelines.train import RunSettings, remember, split
from wm_learning.training.embeddings import embed
from wm_learning.training.trainer import Phase, Trainer

ENCODERS = ("adapt", "freeze")


@dataclass(frozen=True)
class FinetuneSettings:
    """Numbers of a fine-tuning; those of the family (`sequences.steps=...`) come over the base's."""

    encoder: str = "adapt"  # or freeze: only what predicts is trained, what sees stays
    labels: str = RECORDED  # of the new data, completed from depth; or depth: as if no truth were recorded
    new_share: float = 0.5  # of what is trained on, whatever the amounts of data
    effort: float = 0.35  # share of the steps that the base was trained for
    rate: float = 0.5  # share of its learning rates
    validation_share: float = 0.1  # of the new episodes
    seed: int = 0
    threads: int = 2
    checkpoint_s: float = 60.0  # [s] of work that a kill may cost

    def __post_init__(self) -> None:
        for name, choices in (("encoder", ENCODERS), ("labels", LABELS)):
            if getattr(self, name) not in choices:
                raise SettingError(f"expected {name} out of {', '.join(choices)}, got '{getattr(self, name)}'")
        for name in ("new_share", "effort", "rate", "validation_share"):
            if not 0 < getattr(self, name) <= (1 if name != "validation_share" else 0.5):
                raise SettingError(
                    f"expected {name} above 0 and at most 1 (validation_share: 0.5), got {getattr(self, name)}"
                )


@dataclass(frozen=True)
class Part:
    """One kind of data: its name, hash and episodes within the joined dataset, whose numbers begin at `first`."""

    name: str
    fingerprint: str
    first: int
    training: np.ndarray
    held_out: np.ndarray


def finetune(
    base: Path,
    new: Dataset,
    folder: Path,
    settings: FinetuneSettings,
    old: Dataset | None = None,
    own: dict[str, Any] | None = None,
) -> Path:
    """Train the model of the bundle `base` further on `new` data, mixed with `old`, and export it to `folder`.

    `own`: nested settings of the family over the base's. What is held out of `old` is what the base did not train on, where `old` is
    its data. A killed run goes on where it was. Graphs made for the base alone (policy, jumps) are not taken over.
    """
    loaded, model = Bundle.load(base), load_model(base)
    if differs := StepSpec.of(loaded).mismatch(new.steps):
        raise SettingError(
            f"new data of {loaded.id}: {differs}; build it again from its bags, in the steps of the bundle"
        )
    model.config = _config(model, settings, own or {})
    parts, data = _mixed(loaded, labelled(new, settings.labels), None if old is None else labelled(old), settings)
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    work = folder.with_name(f"{folder.name}.run")
    facts = {**asdict(settings), loaded.family: asdict(model.config), "base": loaded.id, "data": data.fingerprint()}
    remember(work, facts)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    figures_before = _figures(model, data, parts)
    training = np.concatenate([part.training for part in parts])
    held_out = np.concatenate([part.held_out for part in parts])
    trainer = Trainer(model, work, settings.seed, settings.checkpoint_s)
    spent = trainer.run(_phases(model, data, training, held_out, settings))
    figures = _figures(model, data, parts)
    moved = change(before, model.state_dict())
    report = {
        "base": loaded.id,
        "weights_moved": moved,
        "held_out_mm": {
            part.name: {"before": figures_before[part.name].metrics(), "after": figures[part.name].metrics()}
            for part in parts
        },
        "not_taken_over": [graph for graph in ("policy", "intend", "value", "jump") if loaded.has(graph)],
    }
    _say(report)
    identity = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]
    export_bundle(
        model,
        folder,
        f"{loaded.family}-{identity}",
        surprise_threshold=max(figure.surprise_threshold for figure in figures.values()),
        data={
            "worlds": data.worlds,
            "episodes": len(np.unique(data.episode)),
            "steps": len(data.episode),
            "seeds": [min(data.seeds), max(data.seeds)],
            "fingerprint": data.fingerprint(),
            "parts": {
                part.name: {"fingerprint": part.fingerprint, "held_out": (part.held_out - part.first).tolist()}
                for part in parts
            },
            "validation_episodes": len(held_out),
            "training": facts,
            "finetuning": report,
            "revision": revision(),
            "training_s": round(spent),
        },
        metrics=figures["new"].metrics(),
    )
    calibrate_new(calibrate, folder, data.subset(held_out), groups=[part.held_out for part in parts])
    print(f"exported {folder} after {spent:.0f} s of training")
    return folder


def _config(model: WorldModel, settings: FinetuneSettings, own: dict[str, Any]) -> Any:
    """The base's configuration with fewer steps and lower rates, and `own` over it."""
    scaled = {
        name: replace(part, steps=max(1, round(settings.effort * part.steps)), rate=settings.rate * part.rate)
        for name, part in vars(model.config).items()
        if hasattr(part, "steps") and hasattr(part, "rate")
    }
    return configure(type(model.config), asdict(replace(model.config, **scaled)), own)


def _mixed(base: Bundle, new: Dataset, old: Dataset | None, settings: FinetuneSettings) -> tuple[list[Part], Dataset]:
    """New and old data as one; new episodes are listed as often among the training ones as their share asks for."""
    cut = RunSettings(seed=settings.seed, validation_share=settings.validation_share)
    training, held_out = split(new, cut)
    if old is None:
        return [Part("new", new.fingerprint(), 0, training, held_out)], new
    known = base.spec["data"]
    if known.get("fingerprint") == old.fingerprint():  # what the base never saw stays unseen
        cut = RunSettings(**{name: known["training"][name] for name in ("seed", "validation_share")})
    old_training, old_held_out = split(old, cut)
    steps = {name: int(np.isin(data.episode, episodes).sum()) for name, data, episodes in (
        ("new", new, training), ("old", old, old_training))}  # fmt: skip
    share = min(settings.new_share, 0.99)
    times = share / (1 - share) * steps["old"] / max(1, steps["new"])
    offset = len(old.seeds)
    return [
        Part("new", new.fingerprint(), offset, np.repeat(training + offset, max(1, round(times))), held_out + offset),
        Part("old", old.fingerprint(), 0, np.repeat(old_training, max(1, round(1 / max(times, 1e-3)))), old_held_out),
    ], Dataset.join([old, new])


def _phases(
    model: WorldModel, data: Dataset, training: np.ndarray, held_out: np.ndarray, settings: FinetuneSettings
) -> list[Phase]:
    found = phases(model, data, training, held_out)
    return found if settings.encoder == "adapt" else [phase for phase in found if phase.name != "images"]


def _figures(model: WorldModel, data: Dataset, parts: list[Part]) -> dict[str, HeldOut]:
    """Held-out figures by part."""
    found = {}
    for part in parts:
        mine = data.subset(part.held_out)
        found[part.name] = evaluate(model, mine, embed(model, mine), part.held_out)
    return found


def _say(report: dict[str, Any]) -> None:
    print(f"fine-tuned from {report['base']}; weights moved by " + ", ".join(
        f"{part} {100 * share:.1f} %" for part, share in report["weights_moved"].items()))  # fmt: skip
    for name, figures in report["held_out_mm"].items():
        for measure in ("see_mm", "filter_mm"):
            before, after = (figures[when][measure]["median"] for when in ("before", "after"))
            print(f"  {name}: {measure} median {before} -> {after}")
        before, after = (figures[when]["open_loop_moving_mm"] for when in ("before", "after"))
        print(
            f"  {name}: open loop [mm] {before.get('model')} -> {after.get('model')} (copy-last {after.get('copy_last')})"
        )
    if report["not_taken_over"]:
        print(f"  not taken over, made for the base alone: {', '.join(report['not_taken_over'])}")
