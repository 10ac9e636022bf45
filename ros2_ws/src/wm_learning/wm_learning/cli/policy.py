"""Train a policy in the imagination of a bundle's model.

Settings are name=value: bundle, data (what the bundle was trained on), out (a bundle folder), config (a YAML file), and
those of the training, e.g. distill.rounds=2. An interrupted run goes on when it is started again.
"""

import argparse
from pathlib import Path

from wm_core.config import configure
from wm_learning.cli._settings import settings, trained_bundle

REQUIREMENTS = "requirements-dev.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("settings", nargs="+", metavar="name=value")


def run(options: argparse.Namespace) -> int:
    from wm_data.loading import load_data
    from wm_learning.policy.pipeline import train_policy
    from wm_learning.policy.training import PolicySettings

    places, out, values = settings(options.settings)
    bundle = trained_bundle(values)
    chosen = configure(PolicySettings, values)
    train_policy(bundle, load_data(places, Path(f"{out}.policy.run")), out, chosen)
    return 0
