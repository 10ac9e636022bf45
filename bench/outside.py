"""Learning online in environments that nobody here wrote: panda-gym and DMControl from states (see requirements-bench.txt)."""

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import FIRST_TEST_SEED, rate, run_all, table, write_json
from _outside import OUTSIDE, make

from wm_core.config import configure, from_words
from wm_learning.online.agent import Agent
from wm_learning.online.loop import OnlineTraining, Policy, Progress, judge, random_policy
from wm_learning.online.settings import OnlineSettings
from wm_learning.online.task import Task

POINTS = 10  # of a learning curve
PROTOCOL = """\
{env}: {steps} environment steps of learning, everything counted (random steps, failures), then {episodes} episodes without
exploration from environment seeds {seed} on; training draws its starts from seeds below 10000. The agent sees the state, no pixels,
and is told beforehand: {given}."""
GOALS = """\
Success: the environment's own `is_success` within its limit of steps. Starts that are solved already are rejected and counted apart.
95 % Wilson intervals. Random: evenly drawn actions from the same starts."""
RETURNS = (
    "Return: sum of rewards of an episode of 1000 environment steps, mean and standard deviation over the episodes."
)


def learn(env: str, settings: OnlineSettings, episodes: int, first: int, folder: Path) -> dict[str, Any]:
    """Learn with one seed and judge; in a process of its own."""
    torch.set_num_threads(1)
    task = Task(make(env), settings.repeat)
    agent = Agent(task, settings, OUTSIDE[env].cost, OUTSIDE[env].features)
    training = OnlineTraining(task, agent, folder / f"{env.replace('/', '-')}-{settings.seed}.pt")
    shown = training.steps * POINTS // settings.steps

    def report(progress: Progress) -> None:
        nonlocal shown
        if (point := progress.steps * POINTS // settings.steps) > shown:
            shown = point
            print(f"  seed {settings.seed}, {_point(training.history)}", flush=True)

    training.run(report)
    began = time.monotonic()

    def policy(seed: int) -> Policy:
        agent.begin(seed)
        return agent.act

    scores = judge(task, policy, first, episodes)
    floor = judge(task, lambda seed: random_policy(np.random.default_rng(seed), task.action_size), first, episodes)
    return {
        "env": env,
        "settings": asdict(settings),
        "curve": [asdict(progress) for progress in training.history],
        "environment_steps": training.steps,
        "learning_s": training.history[-1].seconds,
        "learning_cpu_s": training.history[-1].cpu_seconds,
        "evaluation_s": time.monotonic() - began,
        "scores": [asdict(score) for score in scores],
        "random": [asdict(score) for score in floor],
    }


def _point(past: list[Progress]) -> str:
    """The last tenth of the training so far, with its exploration."""
    now = past[-1]
    recent = [progress for progress in past if progress.steps > 0.9 * now.steps] or [now]
    success, score = np.mean([[progress.success, progress.score] for progress in recent], axis=0)
    losses = ", ".join(f"{name} {value:.3g}" for name, value in now.losses.items())
    return (
        f"{now.steps} steps, {now.episodes} episodes, {now.seconds:.0f} s (CPU {now.cpu_seconds:.0f} s): "
        f"success {success:.2f}, return {score:.1f} ({losses})"
    )


def counted(scores: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [score for score in scores if not score["solved_start"]]


def success(scores: list[dict[str, Any]]) -> str:
    return rate(score["success"] for score in counted(scores))


def returns(scores: list[dict[str, Any]]) -> str:
    values = [score["score"] for score in scores]
    return f"{np.mean(values):.0f} ± {np.std(values):.0f}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--env", default="PandaReach-v3", choices=list(OUTSIDE))
    options.add_argument(
        "--steps", type=int, help="environment steps of learning (default: what the environment needs)"
    )
    options.add_argument("--episodes", type=int, help="of the evaluation (default: 100 with goals, 20 with rewards)")
    options.add_argument(
        "--training-seeds", type=int, nargs="+", default=[2], help="a training for each; 0 and 1 were tuned on"
    )
    options.add_argument(
        "--seed", type=int, default=FIRST_TEST_SEED, help="environment seed of the first evaluated episode"
    )
    options.add_argument("--workers", type=int, default=1, help="trainings side by side")
    options.add_argument(
        "--out", type=Path, default=Path("runs/outside"), help="trainings are kept here and go on after a kill"
    )
    options.add_argument("--json", type=Path, default=None, help="also write curves and every episode to this file")
    options.add_argument("settings", nargs="*", metavar="name=value", help="settings of wm_learning.online.settings")
    args = options.parse_args()
    outside = OUTSIDE[args.env]
    args.steps, args.episodes = args.steps or outside.steps, args.episodes or outside.episodes
    print(PROTOCOL.format(given=outside.given, **vars(args)))
    print(GOALS if outside.cost else RETURNS)
    words = from_words(args.settings)
    trainings = [
        configure(OnlineSettings, outside.settings, {"steps": args.steps}, words, {"seed": seed})
        for seed in args.training_seeds
    ]
    calls = [(args.env, settings, args.episodes, args.seed, args.out) for settings in trainings]
    results = list(run_all(learn, calls, args.workers))
    describe = success if outside.cost else returns
    measure = "success" if outside.cost else "return"
    header = ("training seed", "env steps", measure, "random", "solved starts", "learning, CPU [s]", "evaluation [s]")
    rows = [
        (
            result["settings"]["seed"],
            result["environment_steps"],
            describe(result["scores"]),
            describe(result["random"]),
            len(result["scores"]) - len(counted(result["scores"])),
            f"{result['learning_s']:.0f}, {result['learning_cpu_s']:.0f}",
            f"{result['evaluation_s']:.0f}",
        )
        for result in results
    ]
    if len(results) > 1:
        together = ([score for result in results for score in result[name]] for name in ("scores", "random"))
        rows.append(("all", "", *map(describe, together), "", "", ""))
    print("\n" + table(header, rows))
    if outside.published:
        print("\nPublished, return after 100k / 500k environment steps:")
        print(table(("method", "100k / 500k"), outside.published.items()))
    write_json(args.json, {"protocol": vars(args), "results": results})


if __name__ == "__main__":
    main()
