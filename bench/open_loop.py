"""Open-loop prediction: object error after 1, 5, 10, 20 steps of known actions, beside copy-last and constant velocity."""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from _common import FIRST_TEST_SEED, table, write_json

from wm_core.bundle import Bundle
from wm_core.paths import bundles_dir
from wm_data.beliefs import beliefs
from wm_data.collect import collect
from wm_data.dataset import Dataset
from wm_data.dataset_build import build_dataset
from wm_dynamics.rollout import RolloutEngine
from wm_learning.figures.horizons import errors_after

HORIZONS = (1, 5, 10, 20)
BURN_IN = 6  # observations before a prediction
PROTOCOL = """\
Protocol: {episodes} exploration episodes per world of {steps} steps of 0.1 s, seeds {first} on, never trained on, collected
now into bags and read back. The belief is filtered from pixels and joints; then h steps are predicted from the actions
alone. Error: predicted against true object position, over windows in which the object moves more than 1 cm."""


def errors(bundle: Bundle, data: Dataset, means: np.ndarray) -> dict[str, dict[int, np.ndarray]]:
    """Errors [mm] per method and horizon over moving windows."""
    engine, longest = RolloutEngine(bundle), max(HORIZONS)
    starts = data.windows(BURN_IN + 1 + longest + 1) + BURN_IN + 1
    predicted = np.stack(
        [engine.rollout(means[s], data.action[None, s : s + longest]).mean_object()[0].copy() for s in starts]
    )
    result: dict[str, dict[int, np.ndarray]] = {}
    for h in HORIZONS:
        found = errors_after(h, data, starts, predicted[:, h - 1], means[starts, :2], means[starts - 1, :2])
        for name, errors in found.of.items():
            result.setdefault(name.replace("_", " "), {})[h] = 1000 * errors
    return result


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--worlds", nargs="+", default=["tabletop_block", "tabletop_mug", "tabletop_disk"])
    options.add_argument("--episodes", type=int, default=20, help="held-out episodes per world")
    options.add_argument("--steps", type=int, default=50, help="steps per episode")
    options.add_argument("--seed", type=int, default=FIRST_TEST_SEED + 50_000, help="seed of the first episode")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--bundle", type=Path, default=None, help="model bundle folder (default: the shipped one)")
    options.add_argument("--json", type=Path, default=None)
    args = options.parse_args()
    print(PROTOCOL.format(episodes=args.episodes, steps=args.steps, first=args.seed))
    bundle = Bundle.load(args.bundle or bundles_dir() / "default")
    rows, report = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for world in args.worlds:
            bags = collect([world], args.episodes, args.steps, Path(folder) / "bags", args.seed, args.workers)
            data = build_dataset(bags, Path(folder) / world, args.workers)
            found = errors(bundle, data, beliefs(bundle, data)[0])
            for method, by_horizon in found.items():
                cells = [f"{e.mean():.1f} / {np.median(e):.1f}" if len(e) else "-" for e in by_horizon.values()]
                rows.append((world, method, *cells, len(by_horizon[max(HORIZONS)])))
            report[world] = {m: {h: float(e.mean()) for h, e in by.items()} for m, by in found.items()}
    header = ("world", "method", *(f"{h} steps: mean / median [mm]" for h in HORIZONS), "windows at 20")
    print("\n" + table(header, rows))
    write_json(args.json, {"protocol": vars(args), "mean_mm": report})


if __name__ == "__main__":
    main()
