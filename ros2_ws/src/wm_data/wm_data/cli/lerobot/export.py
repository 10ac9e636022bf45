"""Bags to a LeRobot dataset.

Colour images become videos, depth 16-bit PNG in millimetres; see meta/wm.json for what LeRobot has no place for.
A dataset of wm holds no images: export the bags it was built from.
"""

import argparse
from pathlib import Path

from wm_core.task import DEFAULT_TASK, load_task

REQUIREMENTS = "requirements-dev.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from wm_data.lerobot.layout import WORDS

    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="bags or folders of bags")
    parser.add_argument("out", type=Path, metavar="OUT", help="a new folder for the dataset")
    parser.add_argument(
        "--replace", action="store_true", help="put it in the place of the dataset in OUT, once it is complete"
    )
    parser.add_argument("--profile", type=Path, help="which topics play which role; `wm bag profile BAG` proposes one")
    parser.add_argument("--video", action="store_true", help="cameras and joints only: no actions, no labels")
    parser.add_argument(
        "--damaged", choices=["refuse", "skip"], default="refuse", help="skip: read what is around damage"
    )
    parser.add_argument(
        "--steps-of",
        default=DEFAULT_TASK,
        metavar="TASK",
        help="name or file of the task whose actions and rate steps have (default: %(default)s)",
    )
    parser.add_argument("--task", default=WORDS, help="text of the task; {world} is replaced (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    from wm_data.out_folder import LEROBOT, check_out

    check_out(options.out, options.replace, LEROBOT, "OUT")
    from wm_bags.steps.step_spec import StepSpec
    from wm_data.dataset_build import Reading
    from wm_data.dataset_files import read_facts
    from wm_data.lerobot.export import export
    from wm_data.lerobot.layout import LeRobotError
    from wm_data.loading import find_bags

    for place in options.bags:
        if (place / "dataset.json").is_file():
            names = [bag["name"] for bag in read_facts(place)["bags"]]
            raise LeRobotError(
                f"{place}: expected bags, got a dataset, which holds no images; export its bags: {names}"
            )
    reading = Reading(
        options.profile, options.video, damaged=options.damaged, steps=StepSpec.of(load_task(options.steps_of))
    )
    info = export(find_bags(options.bags), options.out, reading, options.task)
    print(f"{options.out}: {info['total_frames']} frames of {info['total_episodes']} episodes")
    return 0
