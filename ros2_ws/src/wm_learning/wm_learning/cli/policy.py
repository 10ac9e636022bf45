"""Train a policy in the imagination of a bundle's model.

Settings are name=value: bundle, data (what the bundle was trained on), out (a bundle folder), config (a YAML file), and
those of the training, e.g. distill.rounds=2. An interrupted run goes on when it is started again.
"""

import argparse

from wm_learning.cli._settings import extend

REQUIREMENTS = "requirements-dev.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("settings", nargs="+", metavar="name=value")


def run(options: argparse.Namespace) -> int:
    from wm_learning.policy.pipeline import train_policy
    from wm_learning.policy.training import PolicySettings

    extend(options.settings, PolicySettings, train_policy, "policy")
    return 0
