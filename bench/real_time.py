"""Goals in real time through the whole stack, with nothing wrong: success, time, and each time that the guard steps in."""

import argparse
import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from _common import FIRST_TEST_SEED, conclude, missing_runs, rate, recorded, result_options, shipped, table
from _fault_stack import FaultStack
from _results import Line, Results
from wm_msgs.msg import Command, Episode, Intervention

START_S, GOAL_S = 120.0, 60.0  # of the wall clock, that a launch and a goal may take
PART = "launch"  # lines about launches, beside those about goals
PROTOCOL = """\
Goals through the launch in real time: simulator, cameras at 10 Hz, perception, dynamics, planner and guard as processes of
their own. Interventions are those on `wm/intervention` (one a streak of at least a second); commands are those on `wm/executed` between
the beginning and the end of a goal, by what the guard did with them and why. Seeds {first} to {last}."""


class Listener:
    """What the guard does, goal by goal."""

    def __init__(self, stack: FaultStack) -> None:
        self.goals: dict[int, dict[str, Counter[str]]] = {}  # seed -> what is counted
        self._now: dict[str, Counter[str]] | None = None
        stack.listen(Episode, "wm/episode", self._on_episode)
        stack.listen(Command, "wm/executed", self._on_executed)
        stack.listen(Intervention, "wm/intervention", self._on_intervention)

    def _on_episode(self, message: Episode) -> None:
        if message.event == Episode.BEGIN:
            self._now = {"commands": Counter(), "slowed": Counter(), "held": Counter(), "interventions": Counter()}
        elif self._now is not None:
            self.goals[message.seed], self._now = self._now, None

    def _on_executed(self, message: Command) -> None:
        if self._now is not None:
            what, why = verdict(message.status, message.reason)
            self._now["commands"]["all"] += 1
            if what:
                self._now[what][why] += 1

    def _on_intervention(self, message: Intervention) -> None:
        if self._now is not None:
            self._now["interventions"][code(message.reason)] += 1


def verdict(status: int, reason: str) -> tuple[str, str]:
    """What became of a command, "" (as it was), "slowed" or "held", and the code of the reason."""
    if not reason or status == Command.IDLE:
        return "", ""
    return "held" if status == Command.HOLD else "slowed", code(reason)


def code(reason: str) -> str:
    """'tool_speed' of 'tool_speed: 0.43 of at most 0.42 m/s'; the numbers of a text without a code are left out."""
    return re.sub(r"\d+", "N", reason.partition(":")[0].strip())


def launch(options: argparse.Namespace, seeds: list[int], folder: Path, results: Results) -> int:
    """Try consecutive seeds in one launch and add their lines; returns how many there are."""
    report = (folder / "report.json").absolute()
    words = [f"seed:={seeds[0]}", f"episodes:={len(seeds)}", f"report:={report}", f"world:={options.world}"]
    with FaultStack(folder, words) as stack:
        listener = Listener(stack)
        deadline = time.monotonic() + START_S + GOAL_S * len(seeds)
        while stack.running and time.monotonic() < deadline:
            time.sleep(0.2)
    if not report.is_file():
        return 0
    document = json.loads(report.read_text())
    for episode in document["episodes"]:
        counted = {name: dict(counter) for name, counter in listener.goals.get(episode["seed"], {}).items()}
        kept = {key: episode[key] for key in ("success_2cm", "success_3cm", "final_distance_m", "steps", "time_s")}
        results.add({**kept, "message": episode["message"], **counted}, world=options.world, seed=episode["seed"])
    whole = {key: document[key] for key in ("cycles", "deadline_misses", "latency_ms", "cpu")}
    results.add(whole, world=options.world, part=PART, first=seeds[0])
    return len(document["episodes"])


def tables(lines: list[Line]) -> str:
    """Success and time, what the guard did by reason, and cycles."""
    goals = [line["result"] for line in lines if line.get("part") != PART]
    launches = [line["result"] for line in lines if line.get("part") == PART]
    if not goals:
        return "no goals"
    times, steps = [each["time_s"] for each in goals], [each["steps"] for each in goals]
    cycles, misses = (sum(each[key] for each in launches) for key in ("cycles", "deadline_misses"))
    stolen = [each["cpu"]["stolen"] for each in launches if each["cpu"]]
    camera = [each["latency_ms"]["camera_to_command"] for each in launches]
    figures = [
        ("within 2 cm", rate(each["success_2cm"] for each in goals)),
        ("within 3 cm", rate(each["success_3cm"] for each in goals)),
        ("time, median and 90 % [s]", f"{np.median(times):.1f}, {np.quantile(times, 0.9):.1f}"),
        ("steps, median and 90 %", f"{np.median(steps):.0f}, {np.quantile(steps, 0.9):.0f}"),
        ("camera to command, median and 99 % [ms]", "; ".join(f"{each['p50']}, {each['p99']}" for each in camera)),
        ("plans past their deadline", f"{misses} of {cycles}"),
        ("CPU stolen", f"{100 * np.mean(stolen):.0f} %" if stolen else "not known"),
    ]
    return f"{table(('', f'{len(goals)} goals'), figures)}\n\n{_of_guard(goals)}"


def _of_guard(goals: list[dict[str, Any]]) -> str:
    counted = {
        name: sum((_by_code(each.get(name, {})) for each in goals), Counter())
        for name in ("commands", "slowed", "held", "interventions")
    }
    commands = counted["commands"]["all"]
    reasons = sorted({*counted["slowed"], *counted["held"], *counted["interventions"]})

    def share(found: int) -> str:
        return f"{found} = {100 * found / max(1, commands):.1f} %"

    rows = [
        (
            reason,
            share(counted["slowed"][reason]),
            share(counted["held"][reason]),
            counted["interventions"][reason],
            sum(reason in _by_code(each.get("interventions", {})) for each in goals),
        )
        for reason in reasons
    ]
    totals = [sum(counted[name].values()) for name in ("slowed", "held", "interventions")]
    touched = sum(bool(each.get("interventions")) for each in goals)
    rows.append(("all", share(totals[0]), share(totals[1]), totals[2], touched))
    header = ("reason", "commands slowed", "commands held", "interventions", "goals with one")
    return f"{commands} commands:\n\n{table(header, rows)}"


def _by_code(counts: dict[str, int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for reason, times in counts.items():
        found[code(reason)] += times
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--goals", type=int, default=100)
    parser.add_argument("--seed", type=int, default=FIRST_TEST_SEED, help="of the first goal")
    parser.add_argument("--world", default="tabletop_block")
    parser.add_argument("--folder", type=Path, default=Path("runs/real_time"), help="of logs and reports")
    parser.add_argument("--json", type=Path, default=None)
    result_options(parser)
    options = parser.parse_args()
    results = recorded("real_time", options, bundle=shipped())
    seeds = range(options.seed, options.seed + options.goals)

    def done(seed: int) -> bool:
        return results.done(world=options.world, seed=seed) is not None

    for index, run in enumerate(missing_runs(seeds, done)):
        folder = options.folder / time.strftime(f"%Y_%m_%d-%H_%M_%S-{index}")
        if not launch(options, run, folder, results):
            raise SystemExit(f"no goal was tried; look at {folder / 'launch.log'}")
    lines = results.lines_of({"world": options.world, "seed": seed} for seed in seeds)
    lines += results.lines_of({"world": options.world, "part": PART, "first": seed} for seed in seeds)
    return conclude(lines, tables, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
