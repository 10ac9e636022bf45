"""How many seconds can be learned from, and why the rest cannot: a report."""

import argparse
from pathlib import Path
from typing import Any

from wm_bags.storage.reading import DAMAGED
from wm_core.task import DEFAULT_TASK, load_task

ERROR_STATUS = 2  # 1: nothing of a bag can be used


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG")
    parser.add_argument(
        "--profile",
        type=Path,
        help="which topics play which role (default: wm's own, of the robot that it was recorded with)",
    )
    parser.add_argument(
        "--task",
        default=DEFAULT_TASK,
        help="name or file of the task whose actions and rate steps have (default: %(default)s)",
    )
    parser.add_argument("--video", action="store_true", help="cameras and joints only")
    parser.add_argument("--damaged", choices=DAMAGED, default="refuse", help="skip: read what is around damage")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="REPORT", help="folder for report.html and report.json"
    )


def run(options: argparse.Namespace) -> int:
    """Write the report; returns 1 when nothing of a bag can be used."""
    from wm_bags.steps.check_report import write_report

    options.out.mkdir(parents=True, exist_ok=True)  # before hours of reading, if it cannot be
    checks = []
    for bag in options.bags:
        check = _check(bag, options)
        said = check.summary() if check.steps or check.refused else check.why_nothing()
        print(f"{bag}: {said.replace(f'{bag}: ', '', 1)}")
        checks.append(check)
    write_report(checks, options.out)
    print(f"written: {options.out / 'report.html'}, {options.out / 'report.json'}")
    return 0 if all(check.steps for check in checks) else 1


def _check(bag: Path, options: argparse.Namespace) -> Any:
    """What was found; a bag whose profile, robot or rig cannot be used is refused, and the others are looked at."""
    from wm_bags.steps.check import UNUSABLE, BagCheck, check_bag
    from wm_bags.steps.profile import Profile
    from wm_bags.steps.recorded_profile import profile_of
    from wm_bags.steps.step_spec import StepSpec
    from wm_core.kinematics import Kinematics
    from wm_core.robot import load_robot

    given = Profile.load(options.profile) if options.profile else None
    try:
        profile = given or profile_of(bag, options.damaged)
        kinematics = Kinematics(load_robot(profile.robot))
    except UNUSABLE as error:
        if given:
            raise  # it is of no use for any of the bags
        return BagCheck.without_profile(bag, str(error))
    profile = profile.as_video() if options.video else profile
    return check_bag(bag, profile, kinematics, options.damaged, StepSpec.of(load_task(options.task)))
