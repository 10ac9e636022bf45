"""Train a bundle's model further on new data.

Settings are name=value: data (new data: a dataset, a bag or a folder of bags; may be repeated), old (the same, of what
the bundle knows and must not forget; may be repeated), out (a bundle folder), encoder=adapt or freeze,
labels=recorded or depth, new_share, effort, rate, seed, threads, and those of the family. Steps without an object
label are labelled from depth. An interrupted run goes on when it is started again.
"""

import argparse
from dataclasses import fields
from pathlib import Path

from wm_core.config import configure
from wm_learning.cli._settings import folders, settings

REQUIREMENTS = "requirements-dev.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("base", type=Path, help="the bundle to begin from")
    parser.add_argument("settings", nargs="+", metavar="name=value")


def run(options: argparse.Namespace) -> int:
    from wm_bags.steps.step_spec import StepSpec
    from wm_core.bundle import Bundle
    from wm_data.loading import load_data
    from wm_learning.pipelines.finetune import FinetuneSettings, finetune

    olds, words = folders(options.settings, "old")
    places, out, values = settings(words)
    known = {field.name for field in fields(FinetuneSettings)}
    general = configure(FinetuneSettings, {name: value for name, value in values.items() if name in known})
    own = {name: value for name, value in values.items() if name not in known}
    work = Path(f"{out}.run")
    steps = StepSpec.of(Bundle.load(options.base))
    old = load_data(olds, work / "old", steps=steps) if olds else None
    finetune(options.base, load_data(places, work, steps=steps), out, general, old, own)
    return 0
