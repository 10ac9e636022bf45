"""Open-loop prediction: object error after 1, 5, 10, 20 steps of known actions, beside copy-last and constant velocity."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _common import FIRST_TEST_SEED, groups, recorded, result_options, shipped, table, write_json
from _results import Line, Results

from wm_core.bundle import Bundle
from wm_data.beliefs import beliefs
from wm_data.collect import collect
from wm_data.dataset import Dataset
from wm_data.dataset_build import build_dataset
from wm_dynamics.rollout import RolloutEngine
from wm_learning.figures.horizons import errors_after

HORIZONS = (1, 5, 10, 20)
BURN_IN = 6  # observations before a prediction
PROTOCOL = """\
Protocol: exploration episodes of {steps} steps of 0.1 s, seeds {first} to {last} in each world, never trained on, collected into
bags and read back. The belief is filtered from pixels and joints; then h steps are predicted from the actions alone. Error:
predicted against true object position, over windows in which the object moves more than 1 cm."""
Errors = dict[str, dict[str, np.ndarray]]  # method -> horizon -> [mm] of the moving windows


def errors(bundle: Bundle, data: Dataset, means: np.ndarray) -> dict[int, Errors]:
    """Errors by episode."""
    engine, longest = RolloutEngine(bundle), max(HORIZONS)
    starts = data.windows(BURN_IN + 1 + longest + 1) + BURN_IN + 1
    predicted = np.stack(
        [engine.rollout(means[s], data.action[None, s : s + longest]).mean_object()[0].copy() for s in starts]
    )
    result: dict[int, Errors] = {int(episode): {} for episode in np.unique(data.episode)}
    for h in HORIZONS:
        found = errors_after(h, data, starts, predicted[:, h - 1], means[starts, :2], means[starts - 1, :2])
        episodes = data.episode[starts[found.window]]
        for episode, by_method in result.items():
            for name, values in found.of.items():
                by_method.setdefault(name.replace("_", " "), {})[str(h)] = 1000 * values[episodes == episode]
    return result


def measure(world: str, bundle: Bundle, results: Results, folder: Path, args: argparse.Namespace) -> list[Line]:
    """The lines of all episodes of a world; they come from one collection, so that is what a kill costs."""
    keys = [{"world": world, "seed": args.seed + i} for i in range(args.episodes)]
    known = [line for key in keys if (line := results.done(**key))]
    if len(known) == len(keys):
        return known
    bags = collect([world], args.episodes, args.steps, folder / "bags", args.seed, args.workers)
    data = build_dataset(bags, folder / world, args.workers)
    found = {data.seeds[episode]: each for episode, each in errors(bundle, data, beliefs(bundle, data)[0]).items()}
    return [results.done(**key) or results.add({"errors_mm": found.get(key["seed"], {})}, **key) for key in keys]


def pooled(lines: list[Line]) -> Errors:
    """The errors of all episodes."""
    found: dict[str, dict[str, list[float]]] = {}
    for line in lines:
        for method, by_horizon in line["result"]["errors_mm"].items():
            for h, values in by_horizon.items():
                found.setdefault(method, {}).setdefault(h, []).extend(values)
    return {method: {h: np.array(values) for h, values in each.items()} for method, each in found.items()}


def tables(lines: list[Line]) -> str:
    rows: list[tuple[Any, ...]] = []
    for (world,), each in groups(lines, "world").items():
        for method, by_horizon in pooled(each).items():
            cells = [f"{e.mean():.1f} / {np.median(e):.1f}" if len(e) else "-" for e in by_horizon.values()]
            rows.append((world, method, *cells, len(by_horizon[str(max(HORIZONS))])))
    header = ("world", "method", *(f"{h} steps: mean / median [mm]" for h in HORIZONS), "windows at 20")
    return table(header, rows)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--worlds", nargs="+", default=["tabletop_block", "tabletop_mug", "tabletop_disk"])
    options.add_argument("--episodes", type=int, default=20, help="held-out episodes per world")
    options.add_argument("--steps", type=int, default=50, help="steps per episode")
    options.add_argument("--seed", type=int, default=FIRST_TEST_SEED + 50_000, help="seed of the first episode")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--bundle", type=Path, default=None, help="model bundle folder (default: the shipped one)")
    options.add_argument("--json", type=Path, default=None)
    result_options(options)
    args = options.parse_args()
    print(PROTOCOL.format(steps=args.steps, first=args.seed, last=args.seed + args.episodes - 1))
    folder = args.bundle or shipped()
    results, bundle = recorded("open_loop", args, "steps", bundle=folder), Bundle.load(folder)
    lines = []
    with tempfile.TemporaryDirectory() as work:
        for world in args.worlds:
            lines += measure(world, bundle, results, Path(work), args)
    print("\n" + tables(lines))
    means = {
        world: {m: {h: float(e.mean()) for h, e in by.items() if len(e)} for m, by in pooled(each).items()}
        for (world,), each in groups(lines, "world").items()
    }
    write_json(args.json, {"protocol": vars(args), "mean_mm": means})


if __name__ == "__main__":
    main()
