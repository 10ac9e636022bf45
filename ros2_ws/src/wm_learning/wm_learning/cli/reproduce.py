"""Make a shipped bundle from nothing: collect, dataset, train, policy, macro; or that of scenes: collect, train."""

import argparse
from pathlib import Path

REQUIREMENTS = "requirements-dev.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "which", nargs="?", default="default", choices=("default", "scene"), help="of the shipped bundles"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/reproduce"), help="folder for bags and dataset")
    parser.add_argument("--out", type=Path, default=None, help="bundle folder (default: in the folder for bags)")
    parser.add_argument("--episodes", type=int, default=360, help="episodes per world, of the default bundle")
    parser.add_argument("--steps", type=int, default=50, help="of each of them")
    parser.add_argument("--workers", type=int, default=2)


def run(options: argparse.Namespace) -> int:
    out = options.out or options.work / ("bundle" if options.which == "default" else "scene_bundle")
    if options.which == "scene":
        from wm_learning.pipelines.reproduce_scene import reproduce_scene

        reproduce_scene(options.work, out, options.workers)
        return 0
    from wm_learning.pipelines.reproduce import reproduce

    reproduce(options.work, out, options.episodes, options.steps, options.workers)
    return 0
