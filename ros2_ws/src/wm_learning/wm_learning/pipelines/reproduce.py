"""The shipped bundle from nothing: collection, dataset, model, policy, jumps. A killed run goes on where it was."""

import time
from pathlib import Path

from wm_data.collect import collect
from wm_data.loading import load_data
from wm_learning.macro.pipeline import train_macro
from wm_learning.macro.training import MacroSettings
from wm_learning.pipelines.train import RunSettings, train_bundle
from wm_learning.policy.pipeline import train_policy
from wm_learning.policy.training import PolicySettings
from wm_tasks.settings import TRAINING_SEEDS

WORLDS = ["tabletop_block", "tabletop_mug", "tabletop_disk"]


def reproduce(work: Path, bundle: Path, episodes: int, steps: int, workers: int) -> Path:
    """Write the bundle to `bundle`, and what leads to it under `work`; `episodes` per world of `steps` control periods."""
    if len(WORLDS) * episodes > TRAINING_SEEDS:
        raise ValueError(
            f"expected at most {TRAINING_SEEDS // len(WORLDS)} episodes per world, got {episodes}; seeds above are for tests"
        )
    began = time.monotonic()

    def done(what: str) -> None:
        print(f"{what} after {(time.monotonic() - began) / 60:.1f} min", flush=True)

    bags = collect(WORLDS, episodes, steps, work / "bags", 0, workers)
    done(f"collected {len(bags)} bags")
    data = load_data(bags, work, workers)
    done(f"built the dataset of {len(data.episode)} steps")
    model = train_bundle(data, work / "model", RunSettings())
    done("trained the model")
    policy = train_policy(model, data, work / "policy", PolicySettings())
    done("trained the policy")
    train_macro(policy, data, bundle, MacroSettings())
    done(f"reproduced {bundle}")
    return bundle
