"""Make a bundle the one that robots run, if it passes the gate.

Compares the bundle with the promoted one of the registry: better in the new domain, nothing lost in the old one,
calibrated, fast enough. Worlds are names or files; data are datasets, bags or folders of bags, of which only held-out
episodes count; without data some are collected in the worlds. Refused: exit status 1, and so recorded. Writes
OUT/gate.html and OUT/gate.json.
"""

import argparse
from pathlib import Path

REQUIREMENTS = "requirements-dev.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", help="a folder, which is added to the registry, or an id in it")
    parser.add_argument("--new", nargs="+", default=[], metavar="WORLD|DATA", help="where it must be better")
    parser.add_argument(
        "--old",
        nargs="+",
        default=[],
        metavar="WORLD|DATA",
        help="where nothing may be lost (default: the worlds that the promoted one was trained on)",
    )
    parser.add_argument(
        "--labels",
        default="recorded",
        help="of the objects in given data: recorded (steps without one from depth), or depth, as if no truth were recorded",
    )
    parser.add_argument("--force", default="", metavar="REASON", help="promote it whatever the verdict, and record why")
    parser.add_argument(
        "--bags", nargs="+", default=[], help="names of the recordings it was trained on, for the record"
    )
    parser.add_argument("--goals", type=int, default=50, help="goals in each world")
    parser.add_argument("--seed", type=int, default=10_000, help="seed of the first goal")
    parser.add_argument(
        "--error-rise", type=float, default=0.10, help="share by which errors may rise in the old domain at most"
    )
    parser.add_argument("--latency", type=float, default=50.0, help="[ms] of CPU time that a decision may take")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=None, help="folder of the report (default: runs/promote/ID)")


def run(options: argparse.Namespace) -> int:
    """Returns 1 when the bundle was refused."""
    from wm_evaluation.gate.limits import Limits
    from wm_evaluation.gate.promote import GateSettings, promote

    limits = Limits(latency_ms=options.latency, error_rise=options.error_rise)
    verdict = promote(
        options.bundle,
        options.new,
        options.old,
        settings=GateSettings(options.goals, options.seed, options.workers, limits, options.labels),
        force=options.force,
        bags=options.bags,
        out=options.out,
    )
    if verdict.criteria:
        print("\n".join([verdict.table(), *verdict.notes]))
        print(f"written: {verdict.report}")
    how = (
        "promoted" if verdict.passed else f"promoted in spite of it: {verdict.forced}" if verdict.forced else "refused"
    )
    print(f"{verdict.candidate} against {verdict.against}: {how}")
    return 0 if verdict.promoted else 1
