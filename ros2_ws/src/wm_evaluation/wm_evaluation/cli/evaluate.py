"""Judge bundles on held-out data and in simulation.

Writes OUT/report.html and OUT/report.json; an interrupted evaluation goes on when it is started again.
"""

import argparse
from pathlib import Path

from wm_evaluation.registry import ENTRIES, NAMES

REQUIREMENTS = "requirements-dev.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "\n".join(["measurements:", *(f"  {entry.name}: {entry.says}" for entry in ENTRIES)])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--against", type=Path, nargs="+", default=[], metavar="BUNDLE", help="bundles to compare with")
    parser.add_argument(
        "--data", type=Path, nargs="+", default=[], help="datasets or bags; without, episodes are collected under OUT"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/evaluation"), help="folder of the report")
    parser.add_argument("--only", nargs="+", default=NAMES, metavar="NAME", help="some measurements")
    parser.add_argument("--effort", type=float, default=1.0, help="share of the usual numbers of episodes")
    parser.add_argument("--world", default="tabletop_block", help="where it is simulated")
    parser.add_argument("--workers", type=int, default=2)


def run(options: argparse.Namespace) -> int:
    """Returns 1 when a measurement failed."""
    from wm_evaluation.run import Settings, evaluate

    report = evaluate(
        Settings(
            [options.bundle, *options.against],
            options.out,
            options.data,
            options.only,
            options.world,
            effort=options.effort,
            workers=options.workers,
        )
    )
    print(f"written: {options.out / 'report.html'}, {options.out / 'report.json'}")
    return 1 if report.failed else 0
