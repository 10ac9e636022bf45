"""Success in scenes against minutes of robot data, beside model-free learning for the same minutes (see requirements-bench.txt)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _common import groups, parser, rate, recorded, table, write_json
from _results import Line, Results
from _scene_sac import Learner
from scenes import loop_of

from wm_core.paths import bundles_dir
from wm_data.scenes.dataset import SceneDataset, load_scenes
from wm_learning.pipelines.train import RunSettings
from wm_learning.pipelines.train_scene import train_scene_bundle
from wm_sim.scene_task import PERIOD, load_scene_task

METHODS = {
    "wm": "the learned model, trained on motions drawn from the data up to the minutes, with a share of the usual steps",
    "model-free": "SAC with hindsight goals (Stable-Baselines3), which explores the task itself for the same robot time and sees the truth",
}
PROTOCOL = """\
Protocol: minutes of robot time at ten steps a second. Starts, goals, time limits and judgement are those of the benchmark `scenes`.
wm learned once for all tasks, with {share:.0%} of the usual training steps; model-free for each task. Seeds {first} to {last}."""


def drawn(data: SceneDataset, minutes: float, seed: int) -> SceneDataset:
    """Motions that last so long together; raises ValueError where there are fewer."""
    wanted = round(60 * minutes / (PERIOD * data.steps))
    if wanted > data.motions:
        raise ValueError(
            f"expected {minutes:g} minutes of data, there are {data.motions * data.steps * PERIOD / 60:.0f}"
        )
    return data.only(np.random.default_rng(seed).permutation(data.motions)[:wanted])


def trained(data: SceneDataset, minutes: float, share: float, folder: Path) -> Path:
    """A bundle that learned from so much; its training goes on where it was killed."""
    out = folder / f"wm-{minutes:g}min" / "bundle"
    if not (out / "bundle.yaml").exists():
        settings = replace(RunSettings(), family="scene", threads=1)
        train_scene_bundle(drawn(data, minutes, 0), out, settings, {"effort": share})
    return out


def point(task: str, method: str, minutes: float, made: Any, seeds: range, results: Results) -> list[Line]:
    """The lines of one point of a curve; `made`: a bundle's folder, or a Learner."""
    bundle = made if method == "wm" else Path()
    loop = loop_of(load_scene_task(task), "wm" if method == "wm" else "scripted", bundle, "panda")

    def judged(seed: int) -> dict[str, Any]:
        result = loop.episode(seed, None if method == "wm" else made.policy())
        return {"success": result.success, "reason": result.reason, "time_s": round(result.steps / 10, 1)}

    keys = [{"task": task, "method": method, "minutes": minutes, "seed": seed} for seed in seeds]
    try:
        return [results.done(**key) or results.add(judged(int(key["seed"])), **key) for key in keys]
    finally:
        loop.close()


def tables(lines: list[Line]) -> str:
    minutes = sorted({line["minutes"] for line in lines})
    rows = []
    for (task, method), found in groups(lines, "task", "method").items():
        points = {
            amount: [line["result"]["success"] for line in each] for (amount,), each in groups(found, "minutes").items()
        }
        rows.append((task, method, *(rate(points[amount]) if amount in points else "not run" for amount in minutes)))
    return table(("task", "method", *(f"{amount:g} min" for amount in minutes)), rows)


def main() -> None:
    options = parser(__doc__ or "", episodes=40)
    options.set_defaults(bundle=bundles_dir() / "scene")
    options.add_argument("--data", type=Path, required=True, help="folder of shards (./wm collect --states)")
    options.add_argument("--out", type=Path, default=Path("runs/scene_data"), help="bundles are kept here")
    options.add_argument("--minutes", type=float, nargs="+", default=[10, 30, 90, 270])
    options.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    options.add_argument("--tasks", nargs="+", default=["push_pose", "pick_place"])
    options.add_argument("--share", type=float, default=0.3, help="of the usual training steps")
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(share=args.share, first=seeds[0], last=seeds[-1]))
    data = load_scenes(args.data)
    results = recorded("scene_data", args, "share", robot=False, data=data.fingerprint())
    lines: list[Line] = []

    def add(task: str, method: str, minutes: float, made: Any) -> None:
        found = point(task, method, minutes, made, seeds, results)
        lines.extend(found)
        print(f"{task}, {method}, {minutes:g} min: {rate(line['result']['success'] for line in found)}", flush=True)

    if "wm" in args.methods:
        for minutes in args.minutes:
            bundle = trained(data, minutes, args.share, args.out)
            for task in args.tasks:
                add(task, "wm", minutes, bundle)
    if "model-free" in args.methods:
        for task in args.tasks:
            learner = Learner(task, 0)
            for minutes in sorted(args.minutes):
                learner.learn(round(60 * minutes / PERIOD))
                add(task, "model-free", minutes, learner)
    print("\n" + tables(lines))
    write_json(args.json, {"protocol": vars(args), "lines": lines})


if __name__ == "__main__":
    main()
