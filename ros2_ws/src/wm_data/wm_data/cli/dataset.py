"""Build a dataset from bags."""

import argparse
from pathlib import Path

from wm_core.task import DEFAULT_TASK, load_task

REQUIREMENTS = "requirements-dev.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bags", type=Path, nargs="+")
    parser.add_argument("--profile", type=Path, help="which topics play which role; `wm bag profile BAG` proposes one")
    parser.add_argument(
        "--task",
        default=DEFAULT_TASK,
        help="name or file of the task whose actions and rate steps have (default: %(default)s)",
    )
    parser.add_argument("--video", action="store_true", help="use cameras and joints only, as of bags without commands")
    parser.add_argument(
        "--strict", action="store_true", help="wm's own bags: the first fault is an error, nothing is cut"
    )
    parser.add_argument(
        "--damaged", choices=["refuse", "skip"], default="refuse", help="skip: read what is around damage"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder for the dataset")
    parser.add_argument(
        "--replace", action="store_true", help="put it in the place of the dataset in FOLDER, once it is complete"
    )
    parser.add_argument("--workers", type=int, default=2)


def run(options: argparse.Namespace) -> int:
    from wm_data.out_folder import check_out

    check_out(options.out, options.replace)
    from wm_bags.steps.step_spec import StepSpec
    from wm_data.dataset_build import Reading, build_dataset
    from wm_data.loading import find_bags

    steps = StepSpec.of(load_task(options.task))
    reading = Reading(options.profile, options.video, options.strict, options.damaged, steps)
    data = build_dataset(find_bags(options.bags), options.out, options.workers, reading)
    print(
        f"{options.out}: {len(data.episode)} steps of {len(data.seeds)} episodes"
        + ("" if options.strict else f"; what was cut: {options.out / 'report.html'}")
    )
    return 0
