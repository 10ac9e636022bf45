"""From a bundle of any family to one that also jumps."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from wm_core.bundle import Bundle, BundleError
from wm_core.revision import revision
from wm_data.beliefs import beliefs
from wm_data.dataset import Dataset
from wm_learning.calibration.intervals import calibrate_jumps, calibrate_new
from wm_learning.export.bundle import add_graphs
from wm_learning.macro.network import JumpDynamics, folded
from wm_learning.macro.training import MacroSettings, MacroTraining
from wm_learning.pipelines.train import RunSettings, remember, split
from wm_learning.training.trainer import Trainer


def train_macro(bundle: Path, data: Dataset, folder: Path, settings: MacroSettings) -> Path:
    """Train a macro predictor for `bundle` on recorded data through its graphs alone; write both to `folder`.

    The episodes that were held out when the bundle was trained on this data are held out again. What the training needs to go
    on after a kill is kept beside the bundle, in `folder`.macro.run.
    """
    loaded = Bundle.load(bundle)
    if loaded.has("jump"):
        raise BundleError(f"{bundle}: expected a bundle that does not jump yet; give the one it was made of, and out=")
    if not np.isfinite(data.objects).all() or data.video:
        raise ValueError(
            "expected commands and object labels in every step of the data; record them or label the bags first"
        )
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    work = folder.with_name(f"{folder.name}.macro.run")
    facts = {**asdict(settings), "bundle": loaded.id, "data": data.fingerprint()}
    remember(work, facts)
    known = loaded.spec.get("data", {}).get("training", {})
    names = ("seed", "validation_share")
    training, held_out = split(data, RunSettings(**{name: known[name] for name in names if name in known}))
    means, variances = _beliefs(loaded, data, work / "beliefs.npz")
    scales = torch.tensor(loaded.action.scales, dtype=torch.float32)
    model = JumpDynamics(loaded.ensemble, loaded.state.own, settings.hidden, settings.k, scales)
    course = MacroTraining(model, loaded, data, means, variances, settings, training, held_out)
    spent = Trainer(model, work, settings.seed, settings.checkpoint_s).run(course.phases())
    record = {
        "steps": settings.k,
        "jumps": settings.jumps,
        "training": facts,
        "revision": revision(),
        "training_s": round(spent),
    }
    identity = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:4]
    named = {"id": f"{loaded.id}-jumps{settings.k}-{identity}", "macro": record}
    add_graphs(bundle, folder, {"jump": folded(model.eval())}, named)
    calibrate_new(calibrate_jumps, folder, data.subset(held_out))
    print(f"exported {folder} after {spent:.0f} s of training")
    return folder


def _beliefs(bundle: Bundle, data: Dataset, file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Beliefs (T, L) at all steps, kept in `file`: a run that was killed need not ask for them again."""
    if not file.is_file():
        means, variances = beliefs(bundle, data)
        part = file.with_suffix(".part.npz")
        np.savez(part, means=means, variances=variances)
        part.replace(file)
    stored = np.load(file)
    return stored["means"], stored["variances"]
