"""Collect exploration episodes in simulation into bags."""

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
    parser.add_argument("--out", type=Path, required=True, help="folder for the bags")


def run(options: argparse.Namespace) -> int:
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
