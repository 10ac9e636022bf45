"""From a trained bundle to one with a policy."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from wm_core.bundle import Bundle, BundleError
from wm_core.config import SettingError
from wm_core.revision import revision
from wm_data.beliefs import beliefs
from wm_data.dataset import Dataset
from wm_learning.export.bundle import add_policy
from wm_learning.export.weights import load_model
from wm_learning.pipelines.train import RunSettings, remember, split
from wm_learning.policy.networks import Act, ActorCritic, CostToGo
from wm_learning.policy.training import PolicySettings, PolicyTraining
from wm_learning.training.trainer import Trainer

STARTS = 240  # training episodes whose beliefs the imagined episodes start from
HELD_OUT_STARTS = 200


def train_policy(bundle: Path, data: Dataset, folder: Path, settings: PolicySettings) -> Path:
    """Train a policy in the imagination of the model of `bundle`, from beliefs on its training data; write both to `folder`.

    What the training needs to go on after a kill is kept beside the bundle, in `folder`.policy.run.
    """
    loaded = Bundle.load(bundle)
    facts = loaded.spec.get("data", {})
    if facts.get("fingerprint") != data.fingerprint():
        raise SettingError(
            f"expected the data that {bundle} was trained on ({facts.get('fingerprint')}), got {data.fingerprint()}"
        )
    if "policy" in loaded.spec:
        raise BundleError(
            f"{bundle}: expected a bundle without a trained policy; give the one it was made of, and out="
        )
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    model = load_model(bundle)
    work = folder.with_name(f"{folder.name}.policy.run")
    remember(work, {**asdict(settings), "bundle": loaded.id})
    known = {name: facts["training"][name] for name in ("seed", "validation_share")}
    training, held_out = split(data, RunSettings(**known))
    rng = np.random.default_rng(settings.seed)
    starts = beliefs(loaded, data.subset(np.sort(rng.permutation(training)[:STARTS])))[0]
    unseen = beliefs(loaded, data.subset(held_out))[0]
    unseen = unseen[rng.choice(len(unseen), min(HELD_OUT_STARTS, len(unseen)), replace=False)]
    nets = ActorCritic(model.sizes.state, settings.hidden)
    course = PolicyTraining(nets, model, loaded, starts, unseen, work, settings)
    spent = Trainer(nets, work, settings.seed, settings.checkpoint_s).run(course.phases())
    nets.eval()
    imagined = round(1 - course.failures(), 4)
    print(f"reaches {100 * imagined:.1f} % of the goals from held-out beliefs in imagination")
    identity = hashlib.sha256(
        json.dumps({**asdict(settings), "bundle": loaded.id}, sort_keys=True).encode()
    ).hexdigest()
    record = {
        "training": asdict(settings),
        "of": loaded.id,
        "revision": revision(),
        "training_s": round(spent),
        "imagined_success": imagined,
    }
    add_policy(bundle, folder, Act(nets), CostToGo(nets), model, f"{loaded.id}-{identity[:4]}", record)
    print(f"exported {folder} after {spent:.0f} s of training")
    return folder
