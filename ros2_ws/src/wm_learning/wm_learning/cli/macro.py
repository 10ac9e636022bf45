"""Train a predictor that jumps several steps at once, for a bundle of any family.

Settings are name=value: bundle, data (what the bundle was trained on), out (a bundle folder), config (a YAML file), and
those of the training, e.g. k=4, the steps of a jump. An interrupted run goes on when it is started again.
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
    from wm_learning.macro.pipeline import train_macro
    from wm_learning.macro.training import MacroSettings

    places, out, values = settings(options.settings)
    bundle = trained_bundle(values)
    chosen = configure(MacroSettings, values)
    train_macro(bundle, load_data(places, Path(f"{out}.macro.run")), out, chosen)
    return 0
