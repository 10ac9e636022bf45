"""Collect exploration episodes in simulation into bags, or motions of several objects (--states)."""

import argparse
from pathlib import Path

from wm_core.task import DEFAULT_TASK

REQUIREMENTS = "requirements-dev.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--world", action="append", required=True, help="name or file of a world; may be repeated")
    parser.add_argument("--episodes", type=int, default=20, help="episodes per world")
    parser.add_argument(
        "--task",
        default=DEFAULT_TASK,
        help="name or file of a task: its explorer acts, at its rate (default: %(default)s)",
    )
    parser.add_argument("--steps", type=int, help="control periods per episode (default: 5 s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first episode")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--video", action="store_true", help="record cameras and joints only: no commands, no labels")
    parser.add_argument(
        "--states", action="store_true", help="scenes of sim_worlds/scenes: true poses and contacts, no images"
    )
    parser.add_argument("--robot", default="panda", help="with --states: a robot with a gripper (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the bags, or the arrays")


def run(options: argparse.Namespace) -> int:
    if options.states:
        from wm_data.scenes.collect import collect_scenes

        collect_scenes(options.world, options.episodes, options.out, options.seed, options.workers, options.robot)
        return 0
    from wm_data.collect import collect

    collect(
        options.world,
        options.episodes,
        options.steps,
        options.out,
        options.seed,
        options.workers,
        options.video,
        options.task,
    )
    return 0
