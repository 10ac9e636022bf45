"""Learning online in environments that nobody here wrote: panda-gym and DMControl from states (see requirements-bench.txt)."""

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import FIRST_TEST_SEED, flat, groups, rate, recorded, result_options, table, write_json
from _outside import OUTSIDE, make
from _results import Line

from wm_core.config import configure, from_words
from wm_learning.online.agent import Agent
from wm_learning.online.loop import OnlineTraining, Policy, Progress, Score, judge, random_policy
from wm_learning.online.settings import OnlineSettings
from wm_learning.online.task import Task

POINTS = 10  # of a learning curve
PROTOCOL = """\
{steps} environment steps of learning, everything counted (random steps, failures), then {episodes} episodes without exploration from
environment seeds {seed} on; training draws its starts from seeds below 10000. The agent sees the state, no pixels."""
GIVEN = "{env}: it is known beforehand {given}."
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
    points = {len(training.history) * i // POINTS - 1 for i in range(1, POINTS + 1)} - {-1}
    return {
        "settings": asdict(settings),
        "curve": [asdict(training.history[i]) for i in sorted(points)],
        "environment_steps": training.steps,
        "learning_s": training.history[-1].seconds,
        "learning_cpu_s": training.history[-1].cpu_seconds,
        "evaluation_s": time.monotonic() - began,
        "scores": columns(scores),
        "random": columns(floor),
    }


def columns(scores: list[Score]) -> dict[str, list[Any]]:
    """The scores of all episodes by what they say."""
    return {field.name: [getattr(score, field.name) for score in scores] for field in fields(Score)}


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


def success(scores: dict[str, list[Any]]) -> str:
    return rate(good for good, solved in zip(scores["success"], scores["solved_start"], strict=True) if not solved)


def returns(scores: dict[str, list[Any]]) -> str:
    return f"{np.mean(scores['score']):.0f} ± {np.std(scores['score']):.0f}"


def row(line: Line, describe: Callable[[dict[str, list[Any]]], str]) -> tuple[Any, ...]:
    result = line["result"]
    return (
        line["seed"],
        result["environment_steps"],
        describe(result["scores"]),
        describe(result["random"]),
        sum(result["scores"]["solved_start"]),
        f"{result['learning_s']:.0f}, {result['learning_cpu_s']:.0f}",
        f"{result['evaluation_s']:.0f}",
    )


def table_of(env: str, lines: list[Line]) -> str:
    """A row a training, and what others published."""
    outside = OUTSIDE[env]
    describe, measure = (success, "success") if outside.cost else (returns, "return")
    header = ("training seed", "env steps", measure, "random", "solved starts", "learning, CPU [s]", "evaluation [s]")
    rows = [row(line, describe) for line in lines]
    if len(lines) > 1:
        results = [line["result"] for line in lines]
        together = [
            {name: [value for result in results for value in result[part][name]] for name in results[0][part]}
            for part in ("scores", "random")
        ]
        rows.append(("all", "", *map(describe, together), "", "", ""))
    text = table(header, rows)
    if outside.published:
        text += "\n\nPublished, return after 100k / 500k environment steps:\n\n"
        text += table(("method", "100k / 500k"), outside.published.items())
    return text


def known(env: str) -> str:
    """What is known of an environment beforehand, and how it is judged."""
    return f"{GIVEN.format(env=env, given=OUTSIDE[env].given)}\n{GOALS if OUTSIDE[env].cost else RETURNS}"


def tables(lines: list[Line]) -> str:
    """A table an environment, with what is known of each beforehand."""
    return "\n\n".join(f"{known(env)}\n\n{table_of(env, found)}" for (env,), found in groups(lines, "env").items())


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
    result_options(options)
    args = options.parse_args()
    outside = OUTSIDE[args.env]
    args.steps, args.episodes = args.steps or outside.steps, args.episodes or outside.episodes
    print(PROTOCOL.format(**vars(args)))
    print(known(args.env))
    words = from_words(args.settings)
    trainings = [
        configure(OnlineSettings, outside.settings, {"steps": args.steps}, words, {"seed": seed})
        for seed in args.training_seeds
    ]
    calls = {
        (args.env, settings.seed): (args.env, settings, args.episodes, args.seed, args.out) for settings in trainings
    }
    results = recorded("outside", args, "steps", "episodes", "seed", "settings", robot=False)
    lines = list(results.run(learn, calls, ("env", "seed"), args.workers))
    print("\n" + table_of(args.env, lines))
    write_json(args.json, {"protocol": vars(args), "results": [flat(line, "env", "seed") for line in lines]})


if __name__ == "__main__":
    main()
