"""From a trained bundle to one with a policy."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from wm_core.bundle import Bundle, BundleError
from wm_core.revision import revision
from wm_learning.beliefs import beliefs
from wm_learning.config import SettingError, configure
from wm_learning.dataset import Dataset
from wm_learning.export import add_policy
from wm_learning.families import FAMILIES
from wm_learning.families.base import WorldModel
from wm_learning.pipeline import RunSettings, remember, split
from wm_learning.policy.networks import Act, ActorCritic, CostToGo
from wm_learning.policy.training import PolicySettings, PolicyTraining
from wm_learning.training.trainer import Trainer

STARTS = 240  # training episodes whose beliefs the imagined episodes start from
HELD_OUT_STARTS = 200


def load_model(bundle: Path) -> WorldModel:
    """The model of which the bundle was exported, from the run beside it; raises SettingError without one."""
    run = bundle.with_name(f"{bundle.name}.run")
    try:
        facts = yaml.safe_load((run / "settings.yaml").read_text())
        state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)["model"]
    except OSError as error:
        raise SettingError(
            f"expected the run that trained {bundle} in {run}, got: {error}; a policy is trained in the model itself"
        ) from error
    config_kind, model_kind = FAMILIES[facts["family"]]
    config: Any = configure(config_kind, facts[facts["family"]])
    model = model_kind(config)
    model.load_state_dict(state)
    return model


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
    told = {
        "training": asdict(settings),
        "of": loaded.id,
        "revision": revision(),
        "training_s": round(spent),
        "imagined_success": imagined,
    }
    add_policy(bundle, folder, Act(nets), CostToGo(nets), model, f"{loaded.id}-{identity[:4]}", told)
    print(f"exported {folder} after {spent:.0f} s of training")
    return folder
