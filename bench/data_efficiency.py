"""Success against minutes of robot data, for each model family, beside model-free learning (see requirements-bench.txt)."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from _common import FIRST_TEST_SEED, groups, rate, recorded, result_options, table, write_json
from _episodes import episode
from _model_free import learn
from _results import Line, Results

from wm_core.config import configure
from wm_data.dataset import Dataset
from wm_learning.families import FAMILIES
from wm_learning.pipelines.train import RunSettings, train_bundle

STEPS_PER_MINUTE = 600
PROTOCOL = """\
Protocol: whole exploration episodes drawn from a dataset up to the given minutes of robot time (10 steps a second, all worlds alike);
each family trains on them for {share:.0%} of its usual steps and is then judged on held-out goals from pixels,
seeds {first} to {last}, success within 2 cm in 100 steps. The model-free learner (SAC with hindsight goals, Stable-Baselines3) explores by
itself in that world for the same robot time, sees the true object position instead of pixels, and is judged on the same goals."""


def draw_episodes(data: Dataset, minutes: float, seed: int) -> np.ndarray:
    """Episode numbers with `minutes` of robot time in all; raises ValueError when there is less."""
    episodes = np.random.default_rng(seed).permutation(np.unique(data.episode))
    steps = np.cumsum([np.count_nonzero(data.episode == number) for number in episodes])
    wanted = minutes * STEPS_PER_MINUTE
    if steps[-1] < wanted:
        raise ValueError(f"expected {minutes} minutes of data, the dataset has {steps[-1] / STEPS_PER_MINUTE:.0f}")
    return episodes[: int(np.searchsorted(steps, wanted)) + 1]


def shortened(family: str, share: float) -> dict[str, Any]:
    """Settings of a family whose phases have a share of their usual steps."""
    usual = configure(FAMILIES[family].config)
    phases = ("images", "sequences")
    return {name: {"steps": max(1, round(share * getattr(usual, name).steps))} for name in phases}


def trained(family: str, minutes: float, data: Dataset, args: argparse.Namespace) -> Path:
    """A bundle that learned from so much; its training goes on where it was killed."""
    run = replace(RunSettings(), family=family, seed=args.seed, threads=args.threads)
    part = data.subset(draw_episodes(data, minutes, args.seed))
    return train_bundle(part, args.out / f"{family}-{minutes:g}min" / "bundle", run, shortened(family, args.share))


def point(method: str, minutes: float, data: Dataset, results: Results, args: argparse.Namespace) -> list[Line]:
    """The lines of one point of the curve."""
    goals = range(args.first_goal, args.first_goal + args.goals)
    names = ("world", "method", "minutes", "seed")
    keys = [dict(zip(names, (args.world, method, minutes, goal), strict=True)) for goal in goals]
    known = [line for key in keys if (line := results.done(**key))]
    if len(known) == len(keys):
        return known
    if method == "model-free":
        reached = learn(args.world, round(minutes * STEPS_PER_MINUTE), goals, args.seed)
        return [
            results.done(**key) or results.add({"success_2cm": success}, **key)
            for key, success in zip(keys, reached, strict=True)
        ]
    bundle = trained(method, minutes, data, args)
    calls = {tuple(key.values()): (args.world, "wm", key["seed"], bundle) for key in keys}
    return list(results.run(episode, calls, names, args.workers))


def successes(lines: list[Line]) -> list[bool]:
    return [line["result"]["success_2cm"] for line in lines]


def tables(lines: list[Line]) -> str:
    minutes = sorted({line["minutes"] for line in lines})
    rows = []
    for (method,), found in groups(lines, "method").items():
        points = {amount: successes(each) for (amount,), each in groups(found, "minutes").items()}
        rows.append((method, *(rate(points[amount]) if amount in points else "not run" for amount in minutes)))
    return table(("method", *(f"{amount:g} min" for amount in minutes)), rows)


def plot(curves: dict[str, dict[float, list[bool]]], file: Path) -> None:
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4))
    for method, points in curves.items():
        axes.plot(list(points), [100 * np.mean(values) for values in points.values()], "o-", label=method)
    axes.set(xscale="log", xlabel="robot data [min]", ylabel="goals reached within 2 cm [%]", ylim=(-2, 102))
    axes.set_xticks(sorted({minutes for points in curves.values() for minutes in points}), minor=False)
    axes.get_xaxis().set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(file, dpi=120)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    methods = (*FAMILIES, "model-free")
    options.add_argument("--data", type=Path, required=True, help="dataset folder (wm collect, wm dataset)")
    options.add_argument("--out", type=Path, default=Path("runs/data_efficiency"), help="finished points are kept here")
    options.add_argument("--minutes", type=float, nargs="+", default=[2, 5, 15, 30, 90])
    options.add_argument("--methods", nargs="+", default=list(methods), choices=methods)
    options.add_argument("--share", type=float, default=1.0, help="of the usual training steps")
    options.add_argument("--world", default="tabletop_block")
    options.add_argument("--goals", type=int, default=50)
    options.add_argument("--first-goal", type=int, default=FIRST_TEST_SEED + 60_000, help="seed of the first goal")
    options.add_argument("--seed", type=int, default=0, help="of the drawn episodes and of training")
    options.add_argument("--threads", type=int, default=2, help="of the training")
    options.add_argument("--workers", type=int, default=2, help="processes that judge")
    result_options(options)
    args = options.parse_args()
    last = args.first_goal + args.goals - 1
    print(PROTOCOL.format(share=args.share, first=args.first_goal, last=last))
    data = Dataset.load(args.data)
    results = recorded("data_efficiency", args, "share", "seed", data=data.fingerprint())
    lines: list[Line] = []
    curves: dict[str, dict[float, list[bool]]] = {method: {} for method in args.methods}
    for minutes in args.minutes:
        for method in args.methods:
            found = point(method, minutes, data, results, args)
            lines += found
            curves[method][minutes] = successes(found)
            print(f"{method}, {minutes:g} min: {rate(curves[method][minutes])}", flush=True)
    print("\n" + tables(lines))
    plot(curves, args.out / "data_efficiency.png")
    write_json(args.out / "data_efficiency.json", {"protocol": vars(args), "successes": curves})


if __name__ == "__main__":
    main()
