"""Train a model family and export a bundle.

Settings are name=value: family, data (a dataset, a bag or a folder of bags; may be repeated: all are used together),
pretrain (the same, used as video, before: commands and labels are not needed), task (name or file: the actions and
rate that bags are read in, e.g. push_20hz; default: push), out, config (a YAML file), seed,
threads, validation_share, checkpoint_s, pretraining.steps, and those of the family, e.g. sequences.steps=3000.
family=scene learns from motions in scenes of several objects (./wm collect --states), with robot=NAME's hand.
An interrupted run goes on when it is started again. With torchrun, several processes share the batches.
"""

import argparse
from dataclasses import fields
from pathlib import Path

from wm_core.config import configure
from wm_core.task import load_task
from wm_learning.cli._settings import folders, settings

REQUIREMENTS = "requirements-dev.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("settings", nargs="+", metavar="name=value")


def run(options: argparse.Namespace) -> int:
    from wm_bags.steps.step_spec import StepSpec
    from wm_data.loading import load_data
    from wm_learning.pipelines.train import RunSettings, train_bundle

    films, words = folders(options.settings, "pretrain")
    places, out, values = settings(words)
    task = values.pop("task", None)
    steps = None if task is None else StepSpec.of(load_task(str(task)))
    known = {field.name for field in fields(RunSettings)}
    general = configure(RunSettings, {name: value for name, value in values.items() if name in known})
    own = {name: value for name, value in values.items() if name not in known}
    work = Path(f"{out}.run")
    if general.family == "scene":
        from wm_core.config import SettingError
        from wm_data.scenes.dataset import load_scenes
        from wm_learning.pipelines.train_scene import train_scene_bundle

        if len(places) != 1 or films:
            raise SettingError("expected one folder of scenes as data= (./wm collect --states), and no pretrain=")
        train_scene_bundle(load_scenes(places[0]), out, general, own)
        return 0
    video = load_data(films, work, video=True, steps=steps) if films else None
    train_bundle(load_data(places, work, steps=steps), out, general, own, video)
    return 0
