"""Camera to command with perception, dynamics and planner in one process (composed:=true) and in three, in turn."""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from _common import FIRST_TEST_SEED, groups, rate, recorded, result_options, shipped, table, write_json
from _fault_stack import FaultStack
from _results import Line, Results

START_S, GOAL_S = 120.0, 60.0  # of the wall clock, that a launch and a goal may take
LOOK_S = 0.5
PROTOCOL = """\
Launches in real time with the simulator beside them, not composed and composed in turn with the same seeds. Latency is that from the
camera's stamp to the command, over all cycles of a launch; a miss is a plan past its deadline. CPU: time on a processor over
time of the wall, 100 % is one core, from the beginning of the first goal on."""


class Shares:
    """How much of a core each process takes, from the first look at it on; one that is restarted counts as the same."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, int], tuple[float, float]] = {}  # names and id: wall and CPU time [s]
        self._last: dict[tuple[str, int], tuple[float, float]] = {}

    def look(self, pids: Mapping[str, int], now: float) -> None:
        """At the processes of these nodes; `now`: wall time [s]."""
        for names, pid in by_process(pids).items():
            with suppress(psutil.Error):
                spent = psutil.Process(pid).cpu_times()
                self._last[names, pid] = now, spent.user + spent.system
                self._first.setdefault((names, pid), self._last[names, pid])

    def shares(self) -> dict[str, float]:
        """By the names of the nodes in a process; 1 is a core."""
        wall: dict[str, float] = defaultdict(float)
        spent: dict[str, float] = defaultdict(float)
        for (names, pid), (begin, before) in self._first.items():
            end, after = self._last[names, pid]
            wall[names] += end - begin
            spent[names] += after - before
        return {names: round(spent[names] / wall[names], 4) for names in sorted(wall) if wall[names] > 0}


def by_process(pids: Mapping[str, int]) -> dict[str, int]:
    """'wm_dynamics + wm_planner' -> the id of the process that has these nodes."""
    nodes: dict[int, list[str]] = defaultdict(list)
    for name, pid in sorted(pids.items()):
        nodes[pid].append(name)
    return {" + ".join(names): pid for pid, names in nodes.items()}


def launch(composed: str, seed: int, options: argparse.Namespace, results: Results) -> None:
    """One launch of consecutive seeds; its line has latencies, misses, success and what each process took."""
    folder = options.folder / time.strftime(f"%Y_%m_%d-%H_%M_%S-{composed}")
    report = (folder / "report.json").absolute()
    words = [f"composed:={composed}", f"seed:={seed}", f"episodes:={options.goals}", f"report:={report}"]
    shares = Shares()
    with FaultStack(folder, [*words, "picture:=false"]) as stack:
        deadline = time.monotonic() + START_S + GOAL_S * options.goals
        while stack.running and time.monotonic() < deadline:
            time.sleep(LOOK_S)
            if stack.episodes:
                shares.look(stack.pids, time.monotonic())
    if not report.is_file():
        raise SystemExit(f"no goal was tried; look at {folder / 'launch.log'}")
    document = json.loads(report.read_text())
    result = {key: document[key] for key in ("cycles", "deadline_misses", "latency_ms", "cpu")}
    result["reached"] = [episode["success_2cm"] for episode in document["episodes"]]
    results.add({**result, "processes": shares.shares()}, composed=composed, seed=seed)


def tables(lines: list[Line]) -> str:
    """Latency and success side by side, and below what each process took."""
    rows, processes = [], []
    for (composed,), found in groups(lines, "composed").items():
        results: list[dict[str, Any]] = [line["result"] for line in found]
        camera = [each["latency_ms"]["camera_to_command"] for each in results]
        cycles, misses = (sum(each[key] for each in results) for key in ("cycles", "deadline_misses"))
        stolen = [each["cpu"]["stolen"] for each in results if each["cpu"]]
        how = "one process" if composed == "true" else "three processes"
        rows.append(
            (
                how,
                "; ".join(f"{each['p50']}, {each['p99']}" for each in camera),
                f"{misses} of {cycles} = {100 * misses / max(1, cycles):.1f} %",
                rate(reached for each in results for reached in each["reached"]),
                f"{100 * np.mean([sum(each['processes'].values()) for each in results]):.0f} %",
                f"{100 * np.mean(stolen):.0f} %" if stolen else "not known",
            )
        )
        for names in sorted({names for each in results for names in each["processes"]}):
            taken = [each["processes"].get(names, 0.0) for each in results]
            processes.append((how, names, f"{100 * np.mean(taken):.1f} %"))
    header = ("", "camera to command, p50 and p99 [ms]", "misses", "within 2 cm", "CPU, all", "CPU stolen")
    return f"{table(header, rows)}\n\n{table(('', 'nodes of a process', 'CPU'), processes)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--goals", type=int, default=10, help="of a launch")
    parser.add_argument("--rounds", type=int, default=3, help="launches of each kind, with seeds that follow")
    parser.add_argument("--seed", type=int, default=FIRST_TEST_SEED, help="of the first goal")
    parser.add_argument("--folder", type=Path, default=Path("runs/composed"), help="of logs and reports")
    parser.add_argument("--json", type=Path, default=None)
    result_options(parser)
    options = parser.parse_args()
    results = recorded("composed", options, "goals", bundle=shipped())
    seeds = range(options.seed, options.seed + options.goals * options.rounds, options.goals)
    keys = [{"composed": composed, "seed": seed} for seed in seeds for composed in ("false", "true")]
    for key in keys:
        if results.done(**key) is None:
            launch(**key, options=options, results=results)
    lines = results.lines_of(keys)
    print(tables(lines))
    write_json(options.json, {"lines": lines})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
