"""Camera to command with perception, dynamics and planner in one process (composed:=true) and in three, at 10 and at 20 Hz."""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from _common import FIRST_TEST_SEED, conclude, groups, recorded, result_options, shipped, table
from _common import rate as share_of
from _fault_stack import FaultStack
from _provenance import bundle_facts
from _results import Line, Results

from wm_core.bundle import Bundle, BundleError
from wm_core.compatibility import FitError, check_fit
from wm_core.task import DEFAULT_TASK, load_task

START_S, GOAL_S = 120.0, 60.0  # of the wall clock, that a launch and a goal may take
LOOK_S = 0.5
PROTOCOL = """\
Launches in real time with the simulator beside them, in turn with the same seeds: not composed and composed, with a bundle of
10 Hz and, where one is given, with one of 20 Hz. Latency is that from the camera's stamp to the command, over all cycles of a launch;
a miss is a plan past its deadline, which is 0.45 of a step. Answered: of the pictures that cameras of this rate take during the goals,
those that the planner had a belief of. CPU: time on a processor over time of the wall, 100 % is one core, from the beginning of
the first goal on."""


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


@dataclass(frozen=True)
class Variant:
    """What is launched with the same seeds as the others."""

    composed: str  # true or false
    rate: int  # [Hz] of the task
    bundle: Path
    task: str

    @property
    def key(self) -> dict[str, Any]:
        """What names its lines."""
        return {"composed": self.composed, "rate": self.rate}


def variants(options: argparse.Namespace) -> list[Variant]:
    """Those that are asked for; raises SystemExit for a bundle that does not fit its task."""
    pairs = [(options.bundle, DEFAULT_TASK)]
    if options.bundle_20hz is not None:
        pairs.append((options.bundle_20hz, options.task_20hz))
    found = []
    for bundle, name in pairs:
        task = load_task(name)
        try:
            check_fit(task, Bundle.load(bundle))
        except (BundleError, FitError) as error:
            raise SystemExit(str(error)) from error
        found += [Variant(composed, round(task.rate), bundle.absolute(), name) for composed in ("false", "true")]
    return found


def launch(variant: Variant, seed: int, options: argparse.Namespace, results: Results) -> None:
    """One launch of consecutive seeds; its line has latencies, misses, success and what each process took."""
    folder = options.folder / time.strftime(f"%Y_%m_%d-%H_%M_%S-{variant.composed}-{variant.rate}")
    report = (folder / "report.json").absolute()
    words = [f"composed:={variant.composed}", f"seed:={seed}", f"episodes:={options.goals}", f"report:={report}"]
    words += [f"bundle:={variant.bundle}", f"task:={variant.task}"]
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
    result = {key: document[key] for key in ("cycles", "deadline_misses", "latency_ms", "stages_ms", "cpu")}
    for name, field in (("reached", "success_2cm"), ("steps", "steps"), ("seconds", "time_s")):
        result[name] = [episode[field] for episode in document["episodes"]]
    results.add({**result, "processes": shares.shares()}, **variant.key, seed=seed)


def tables(lines: list[Line]) -> str:
    """Latency and success side by side, and below what each process took."""
    rows, processes = [], []
    for (rate, composed), found in groups(lines, "rate", "composed").items():
        results: list[dict[str, Any]] = [line["result"] for line in found]
        camera = [each["latency_ms"]["camera_to_command"] for each in results]
        cycles, misses = (sum(each[key] for each in results) for key in ("cycles", "deadline_misses"))
        stolen = [each["cpu"]["stolen"] for each in results if each["cpu"]]
        how = f"{rate} Hz, {'one process' if composed == 'true' else 'three processes'}"
        seconds = [value for each in results for value in each["seconds"]]
        taken = rate * sum(seconds) + len(seconds)
        rows.append(
            (
                how,
                "; ".join(f"{each['p50']}, {each['p99']}" for each in camera),
                f"{misses} of {cycles} = {100 * misses / max(1, cycles):.1f} %",
                f"{100 * sum(sum(each['steps']) for each in results) / taken:.1f} %",
                share_of(reached for each in results for reached in each["reached"]),
                f"{np.median(seconds):.1f}",
                f"{100 * np.mean([sum(each['processes'].values()) for each in results]):.0f} %",
                f"{100 * np.mean(stolen):.0f} %" if stolen else "not known",
            )
        )
        for names in sorted({names for each in results for names in each["processes"]}):
            shares = [each["processes"].get(names, 0.0) for each in results]
            processes.append((how, names, f"{100 * np.mean(shares):.1f} %"))
    header = (
        "",
        "camera to command, p50 and p99 [ms]",
        "misses",
        "answered",
        "within 2 cm",
        "time, median [s]",
        "CPU, all",
        "CPU stolen",
    )
    return f"{table(header, rows)}\n\n{table(('', 'nodes of a process', 'CPU'), processes)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--goals", type=int, default=10, help="of a launch")
    parser.add_argument("--rounds", type=int, default=3, help="launches of each kind, with seeds that follow")
    parser.add_argument("--seed", type=int, default=FIRST_TEST_SEED, help="of the first goal")
    parser.add_argument("--bundle", type=Path, default=shipped(), help="folder of a bundle of 10 Hz")
    parser.add_argument(
        "--bundle-20hz", type=Path, default=None, help="folder of a bundle of 20 Hz; without: 10 Hz only"
    )
    parser.add_argument("--task-20hz", default="push_20hz", help="the task of that one, by name or file")
    parser.add_argument("--folder", type=Path, default=Path("runs/composed"), help="of logs and reports")
    parser.add_argument("--json", type=Path, default=None)
    result_options(parser)
    options = parser.parse_args()
    kinds = variants(options)
    fast = " ".join(bundle_facts(options.bundle_20hz).values()) if options.bundle_20hz else "none"
    results = recorded("composed", options, "goals", bundle=options.bundle, bundle_20hz=fast)
    seeds = range(options.seed, options.seed + options.goals * options.rounds, options.goals)
    keys = {(seed, kind): {**kind.key, "seed": seed} for seed in seeds for kind in kinds}
    for (seed, kind), key in keys.items():
        if results.done(**key) is None:
            launch(kind, seed, options, results)
    lines = results.lines_of(list(keys.values()))
    return conclude(lines, tables, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
