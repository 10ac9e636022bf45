"""Bundles swapped in the running graph: missed cycles, gaps between commands, goals; and bad ones that are rolled back."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
import yaml
from _bad_bundles import broken, noisy, nonsense
from _common import FIRST_TEST_SEED, groups, rate, recorded, result_options, table, write_json
from _results import Line, Results
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from wm_msgs.msg import ActiveBundle, Command, GoalEvent

from wm_bringup.swap import missed
from wm_core.qos import LATCHED, STATE
from wm_core.registry import Registry
from wm_core.stamps import to_ns

STEP_NS = 100_000_000
AROUND_S = 2.0  # before and after the first command of the other bundle in which commands are looked at
EVERY = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)  # however late this process gets its turn
FAULTS = ("fails to load", "predicts nonsense", "trusts no plan")
GAIN, NOISE = 0.2, 0.5  # of the bundle that predicts nonsense, and of the one that trusts no plan
PROTOCOL = """\
The whole graph (simulator, perception, dynamics, planner, guard, bundle manager) with goals given one after another; the
registry is pointed from one bundle to the other and back, the manager prepares the other one in all nodes, waits for a safe
moment and changes. Missed: control periods without a command, from the stamps of wm/command within 2 s around the change;
gap: longest time between two commands as they arrive here, in the same window and (beside it) without swaps. Scene changes of
the simulator between goals are no misses. Then three bad bundles are promoted by force: one whose graph is torn on the disk, one
that takes actions for 0.2 times as large as they are, one with noise on its weights, with which the planner defers every plan."""


class Listener:
    """Hears commands, goals and which bundle is in use."""

    def __init__(self) -> None:
        rclpy.init()
        self._node = rclpy.create_node("hot_swap_bench")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self.commands: list[tuple[int, float]] = []  # stamp [ns], arrival [s]
        self.goals: list[tuple[bool, str, float]] = []  # success, model, arrival
        self.active: list[tuple[ActiveBundle, float]] = []
        self._node.create_subscription(Command, "wm/command", self._on_command, EVERY)
        self._node.create_subscription(GoalEvent, "wm/goal", self._on_goal, STATE)
        self._node.create_subscription(ActiveBundle, "wm/active_bundle", self._on_active, LATCHED)

    def _on_command(self, message: Command) -> None:
        self.commands.append((to_ns(message.header.stamp), time.monotonic()))

    def _on_goal(self, message: GoalEvent) -> None:
        if message.event == GoalEvent.END:
            self.goals.append((message.success, message.model_id, time.monotonic()))

    def _on_active(self, message: ActiveBundle) -> None:
        self.active.append((message, time.monotonic()))

    def until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Listen until a condition holds; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {seconds:.0f} s for {what}")
            self._executor.spin_once(timeout_sec=0.05)

    def listen(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end, seconds + 1, "the end of a pause")

    def around(self, stamp_ns: int) -> tuple[int, float]:
        """Missed cycles and the longest gap [s] around the stamp at which a bundle came into use."""
        at = next(arrival for stamp, arrival in self.commands if stamp >= stamp_ns and arrival > self.commands[0][1])
        near = [(stamp, arrival) for stamp, arrival in self.commands if abs(arrival - at) < AROUND_S]
        gaps = np.diff([arrival for _, arrival in near])
        return missed([stamp for stamp, _ in near], STEP_NS), float(gaps.max())


def add_unchecked(registry: Registry, good: Path, folder: Path) -> str:
    """Into the registry past its checks: as if the disk had failed after the bundle was added."""
    spec = yaml.safe_load((folder / "bundle.yaml").read_text())
    id = registry.add(good, "for the benchmark", id=spec["id"]).id
    place = registry.folder / "bundles" / id
    (place / "filter.onnx").write_bytes((folder / "filter.onnx").read_bytes())
    return id


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("other", type=Path, help="a bundle to swap with the shipped one")
    parser.add_argument("--swaps", type=int, default=10)
    parser.add_argument("--modes", nargs="+", default=["lockstep", "real_time"], choices=["lockstep", "real_time"])
    parser.add_argument("--seed", type=int, default=FIRST_TEST_SEED)
    parser.add_argument("--pause", type=float, default=4.0, help="[s] between two swaps")
    parser.add_argument("--json", type=Path, default=None)
    result_options(parser)
    options = parser.parse_args()
    print(PROTOCOL + "\n")
    results = recorded("hot_swap", options, "seed", "pause", bundle=options.other)
    listener, lines = Listener(), []
    for mode in options.modes:
        with tempfile.TemporaryDirectory(prefix="wm_hot_swap_") as work:
            found = run(listener, mode, results, options, Path(work))
        print(tables(found) + "\n", flush=True)
        lines += found
    write_json(options.json, {mode: figures(found) for (mode,), found in groups(lines, "mode").items()})
    return 0


def run(listener: Listener, mode: str, results: Results, options: argparse.Namespace, work: Path) -> list[Line]:
    """The lines of a mode. Swaps and bad bundles that are there already are left out; each launch adds a line of its own."""
    before = (results.done(mode=mode, part="launch", index=i) for i in count())
    launches = list(takewhile(bool, before))
    swaps = [results.done(mode=mode, part="swap", index=i) for i in range(options.swaps)]
    back = {name: results.done(mode=mode, part="rolled back", fault=name) for name in FAULTS}
    if all(swaps) and all(back.values()) and launches:
        return [*launches, *swaps, *back.values()]  # type: ignore[list-item]
    registry = Registry(work / "registry")
    ids = (registry.promoted().id, registry.add(options.other, "for the benchmark").id)
    listener.commands, listener.goals, listener.active = [], [], []
    words = ["bundle:=promoted", f"real_time:={'true' if mode == 'real_time' else 'false'}", f"seed:={options.seed}"]
    with open(work / "log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "wm_bringup.cli", "launch", "arm_sim.launch.py", *words],
            env={**os.environ, "WM_REGISTRY": str(registry.folder)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        listener.until(lambda: len(listener.goals) >= 2, 120, "two goals")
        missed_here, swapped = 0, 0
        for index, known in enumerate(swaps):
            if known is None:
                swapped += 1
                found = swap(listener, registry, ids[swapped % 2], options.pause)
                missed_here += found["missed"]
                swaps[index] = results.add(found, mode=mode, part="swap", index=index)
        launch = quiet(listener, missed_here)
        launches.append(results.add(launch, mode=mode, part="launch", index=len(launches)))
        for fault, known in back.items():
            if known is None:
                id = add_fault(registry, fault, options.other, work)
                back[fault] = results.add(
                    rolled_back(listener, registry, id), mode=mode, part="rolled back", fault=fault
                )
        return [*launches, *swaps, *back.values()]  # type: ignore[list-item]
    except TimeoutError:
        print((work / "log").read_text()[-6000:], file=sys.stderr)
        raise
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def quiet(listener: Listener, missed_in_swaps: int) -> dict[str, Any]:
    """What a launch was like beside its swaps."""
    gaps = np.diff([arrival for _, arrival in listener.commands])
    return {
        "commands": len(listener.commands),
        "missed_at_other_times": missed([stamp for stamp, _ in listener.commands], STEP_NS) - missed_in_swaps,
        "gap_p50_s": float(np.median(gaps)),
        "gap_p999_s": float(np.quantile(gaps, 0.999)),
        "goals": [success for success, _, _ in listener.goals],
    }


def add_fault(registry: Registry, fault: str, good: Path, work: Path) -> str:
    """A bundle out of FAULTS in the registry; its id."""
    if fault == "fails to load":
        return add_unchecked(registry, good, broken(good, work / "broken"))
    if fault == "predicts nonsense":
        return registry.add(nonsense(good, work / "nonsense", GAIN), "for the benchmark").id
    return registry.add(noisy(good, work / "noisy", NOISE), "for the benchmark").id


def figures(lines: list[Line]) -> dict[str, Any]:
    """A mode's figures."""
    parts = {part: [line["result"] for line in found] for (part,), found in groups(lines, "part").items()}
    launches, swaps = parts.get("launch", []), parts.get("swap", [])
    return {
        "missed": [found["missed"] for found in swaps],
        "gaps_s": [found["gap_s"] for found in swaps],
        "to_use_s": [found["to_use_s"] for found in swaps],
        "goals": [success for launch in launches for success in launch["goals"]],
        "commands": sum(launch["commands"] for launch in launches),
        "missed_at_other_times": sum(launch["missed_at_other_times"] for launch in launches),
        "gaps_of_launches_s": [(launch["gap_p50_s"], launch["gap_p999_s"]) for launch in launches],
        "rolled_back": {line["fault"]: line["result"] for line in lines if line["part"] == "rolled back"},
    }


def tables(lines: list[Line]) -> str:
    return "\n\n".join(tables_of(mode, found) for (mode,), found in groups(lines, "mode").items())


def tables_of(mode: str, lines: list[Line]) -> str:
    """The swaps of a mode, and what became of the bad bundles."""
    found = figures(lines)
    rows = [
        ("missed cycles per swap", " ".join(map(str, found["missed"]))),
        ("missed at all other times", f"{found['missed_at_other_times']} of {found['commands']}"),
        ("longest gap per swap [ms]", " ".join(f"{1000 * gap:.0f}" for gap in found["gaps_s"])),
        ("from promotion to use [s]", " ".join(f"{s:.1f}" for s in found["to_use_s"])),
        (
            "gap, p50 and p99.9 of all commands [ms]",
            "; ".join(f"{1000 * p50:.0f}, {1000 * p999:.0f}" for p50, p999 in found["gaps_of_launches_s"]),
        ),
        ("goals reached", rate(found["goals"])),
    ]
    back = [
        (fault, f"{f['after_s']:.1f}", f"{sum(f['goals'])} of {len(f['goals'])}", f["reason"])
        for fault, f in found["rolled_back"].items()
    ]
    header = ("bundle that", "rolled back after [s]", "goals meanwhile", "because")
    return f"{mode}: {len(found['missed'])} swaps\n\n{table(('', mode), rows)}\n\n{table(header, back)}"


def swap(listener: Listener, registry: Registry, id: str, pause: float) -> dict[str, Any]:
    """Promote a bundle and wait until it is in use -> missed cycles, longest gap [s], seconds from promotion to use."""
    known, began = len(listener.active), time.monotonic()
    registry.promote(id, "swapped by the benchmark")
    listener.until(lambda: len(listener.active) > known, 120, f"{id} in use")
    message, at = listener.active[-1]
    assert message.model_id == id, message
    listener.listen(pause)
    misses, gap = listener.around(to_ns(message.header.stamp))
    return {"missed": misses, "gap_s": gap, "to_use_s": at - began}


def rolled_back(listener: Listener, registry: Registry, id: str) -> dict[str, Any]:
    """Promote a bad bundle and wait until the robot is without it -> seconds, goals meanwhile, reason."""
    before, goals, began = registry.promoted().id, len(listener.goals), time.monotonic()
    known = len(listener.active)
    registry.promote(id, "bad on purpose", forced=True)

    def over() -> bool:
        new = [message for message, _ in listener.active[known:]]
        return bool(new) and new[-1].model_id == before and registry.promoted().id == before

    listener.until(over, 180, f"{id} rolled back")
    message, at = listener.active[-1]
    meanwhile = [success for success, _, _ in listener.goals[goals:]]
    reason = message.reason.replace(f"{registry.folder}/", "")
    return {"after_s": at - began, "goals": meanwhile, "reason": reason}


if __name__ == "__main__":
    raise SystemExit(main())
