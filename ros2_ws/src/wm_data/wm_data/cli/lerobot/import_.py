"""A LeRobot dataset to a dataset of wm.

What export wrote comes back as the dataset that the bags give, but for the videos' loss. Others need depth images,
this arm's joints, as many frames a second as the task has steps, and a rig file; they are video, without actions and labels.
"""

import argparse
from pathlib import Path

from wm_core.task import DEFAULT_TASK, load_task

REQUIREMENTS = "requirements-dev.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path, metavar="OUT", help="a new folder for the dataset")
    parser.add_argument(
        "--replace", action="store_true", help="put it in the place of the dataset in OUT, once it is complete"
    )
    parser.add_argument(
        "--steps-of",
        default=DEFAULT_TASK,
        metavar="TASK",
        help="name or file of the task whose actions and rate steps have (default: %(default)s)",
    )
    parser.add_argument("--rig", type=Path, help="poses and intrinsics of the cameras, where the dataset has none")


def run(options: argparse.Namespace) -> int:
    from wm_data.out_folder import DATASET, check_out

    check_out(options.out, options.replace, DATASET, "OUT")
    from wm_bags.steps.step_spec import StepSpec
    from wm_data.lerobot.importing import import_dataset

    data = import_dataset(options.folder, options.out, options.rig, StepSpec.of(load_task(options.steps_of)))
    print(f"{options.out}: {len(data.episode)} steps of {len(data.seeds)} episodes{', video' if data.video else ''}")
    return 0
