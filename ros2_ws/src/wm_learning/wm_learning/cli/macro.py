"""Train a predictor that jumps several steps at once, for a bundle of any family.

Settings are name=value: bundle, data (what the bundle was trained on), out (a bundle folder), config (a YAML file), and
those of the training, e.g. k=4, the steps of a jump. An interrupted run goes on when it is started again.
"""

import argparse

from wm_learning.cli._settings import extend

REQUIREMENTS = "requirements-dev.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("settings", nargs="+", metavar="name=value")


def run(options: argparse.Namespace) -> int:
    from wm_learning.macro.pipeline import train_macro
    from wm_learning.macro.training import MacroSettings

    extend(options.settings, MacroSettings, train_macro, "macro")
    return 0
