"""Look at running topics for some seconds: what is wrong, and what to do.

With --live: rates, stamps and clocks, pairing, encodings and units, intrinsics, where the cameras stand, quality of service, joints and
controller against the robot's profile, this machine. Exit status 1: something will not work. Without --live, ./wm doctor checks the
installation.
"""

import argparse
from pathlib import Path

from wm_bringup.cli._launched import add_files, add_robot, files, robot_of
from wm_bringup.cli._running import add_namespace, speaker
from wm_core.task import DEFAULT_TASK, load_task

ERROR_STATUS = 2  # 1: there are errors
TOPICS = ("colour_topic", "depth_topic", "info_topic", "joint_topic")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--live", action="store_true", required=True, help="look at what runs")
    parser.add_argument("--seconds", type=float, default=10.0, help="to listen (default: %(default)g)")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a report with a picture of what each camera sees"
    )
    add_robot(parser)
    parser.add_argument("--rig", metavar="FILE", help="of the cameras: a name or a file (default: two_cameras)")
    parser.add_argument("--cameras", nargs="+", metavar="NAME", help="of the rig (default: all)")
    parser.add_argument(
        "--task", default=DEFAULT_TASK, help="name or file of the task, whose rate is needed (default: %(default)s)"
    )
    add_files(parser)
    for name in TOPICS:
        parser.add_argument(
            f"--{name.replace('_', '-')}", metavar="TOPIC", help="in place of the parameter of wm_perception"
        )
    parser.add_argument(
        "--controller-topic", default="", metavar="TOPIC", help="in place of trajectory_topic of wm_guard"
    )
    add_namespace(parser)


def run(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from wm_bringup.doctor.checks import examine
    from wm_bringup.doctor.finding import ERROR
    from wm_bringup.doctor.listen import Listener, simulated
    from wm_bringup.doctor.page import lines, page
    from wm_bringup.doctor.setup import in_full, setup_of

    given = {name: getattr(options, name) for name in ("rig", "cameras", *TOPICS)}
    profile = robot_of(options)
    with speaker(options.namespace) as wm:
        found = simulated(wm.node, wm.spin)
        setup = setup_of(profile, given, files(options, profile, *found), options.controller_topic)
        period = load_task(options.task).step_duration
        setup = replace(in_full(setup, wm.node.resolve_topic_name), simulated_time=found.time, period=period)
        print(f"listening for {options.seconds:g} s", flush=True)
        observed = Listener(wm.node, setup).listen(wm.spin, options.seconds)
    findings = examine(observed)
    print(lines(observed, findings))
    if options.html:
        options.html.write_text(page(observed, findings))
        print(f"written: {options.html}")
    return 1 if any(each.severity == ERROR for each in findings) else 0
