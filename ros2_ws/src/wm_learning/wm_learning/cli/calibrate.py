"""Fit a bundle's intervals to held-out outcomes.

Fits the multipliers of the predicted intervals and writes them into the bundle. Of the data that the bundle was trained
on only the held-out episodes are used; other data is used whole and must not have been trained on.
"""

import argparse
from pathlib import Path

REQUIREMENTS = "requirements-dev.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="a dataset, bags or folders of bags")


def run(options: argparse.Namespace) -> int:
    from wm_bags.steps.step_spec import StepSpec
    from wm_core.bundle import Bundle
    from wm_data.loading import load_data
    from wm_learning.calibration.intervals import calibrate
    from wm_learning.pipelines.train import unseen

    work = options.bundle.with_name(f"{options.bundle.name}.calibration")
    data = load_data(options.data, work, steps=StepSpec.of(Bundle.load(options.bundle)))
    covered = calibrate(options.bundle, unseen(options.bundle, data))
    print("share of the outcomes of one half of the episodes in intervals fitted to the other half, by level and step:")
    for name in ("all", "predicted to move"):
        for level, shares in covered[name].items():
            print(f"  {name:18} {level:>5}  " + "  ".join(f"{step}: {share:.3f}" for step, share in shares.items()))
    return 0
