"""Make the shipped bundle from nothing: collect, dataset, train, policy, macro."""

import argparse
from pathlib import Path

REQUIREMENTS = "requirements-dev.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work", type=Path, default=Path("runs/reproduce"), help="folder for bags and dataset")
    parser.add_argument("--out", type=Path, default=Path("runs/reproduce/bundle"), help="bundle folder")
    parser.add_argument("--episodes", type=int, default=360, help="episodes per world")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)


def run(options: argparse.Namespace) -> int:
    from wm_learning.pipelines.reproduce import reproduce

    reproduce(options.work, options.out, options.episodes, options.steps, options.workers)
    return 0
