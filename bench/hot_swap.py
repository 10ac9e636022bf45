"""Bundles swapped in the running graph: missed cycles, gaps between commands, goals; and bad ones that are rolled back."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rclpy
import yaml
from _bad_bundles import broken, noisy, nonsense
from _common import FIRST_TEST_SEED, rate, table, write_json
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
GAIN, NOISE = 0.2, 0.5  # of the bundle that predicts nonsense, and of the one that trusts no plan
PROTOCOL = """\
The whole graph (simulator, perception, dynamics, planner, guard, bundle manager) with goals given one after another; the
registry is pointed from one bundle to the other and back, the manager prepares the other one in all nodes, waits for a safe
moment and changes. Missed: control periods without a command, from the stamps of wm/command within {around:.0f} s around the change;
gap: longest time between two commands as they arrive here, in the same window and (beside it) without swaps. Scene changes of
the simulator between goals are no misses. Then three bad bundles are promoted by force: one whose graph is torn on the disk, one
that takes actions for {gain:g} times as large as they are, one with noise on its weights, with which the planner defers every plan."""


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
    options = parser.parse_args()
    print(PROTOCOL.format(around=AROUND_S, gain=GAIN) + "\n")
    listener, report = Listener(), {}
    for mode in options.modes:
        with tempfile.TemporaryDirectory(prefix="wm_hot_swap_") as work:
            report[mode] = run(listener, mode, options, Path(work))
    write_json(options.json, report)
    return 0


def run(listener: Listener, mode: str, options: argparse.Namespace, work: Path) -> dict:
    """All swaps in one launch; prints and returns what was found."""
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
        swaps = [swap(listener, registry, ids[(i + 1) % 2], options.pause) for i in range(options.swaps)]
        quiet = np.diff([arrival for _, arrival in listener.commands])
        goals = [success for success, _, _ in listener.goals]
        counts = [count for count, _, _ in swaps]
        print(f"{mode}: {len(swaps)} swaps")
        others = missed([stamp for stamp, _ in listener.commands], STEP_NS) - sum(counts)
        rows = [
            ("missed cycles per swap", " ".join(map(str, counts))),
            ("missed at all other times", f"{others} of {len(listener.commands)}"),
            ("longest gap per swap [ms]", " ".join(f"{1000 * gap:.0f}" for _, gap, _ in swaps)),
            ("from promotion to use [s]", " ".join(f"{s:.1f}" for _, _, s in swaps)),
            (
                "gap, p50 and p99.9 of all commands [ms]",
                f"{1000 * np.median(quiet):.0f}, {1000 * np.quantile(quiet, 0.999):.0f}",
            ),
            ("goals reached", rate(goals)),
        ]
        print(table(("", mode), rows), flush=True)
        faults = {
            "fails to load": add_unchecked(registry, options.other, broken(options.other, work / "broken")),
            "predicts nonsense": registry.add(nonsense(options.other, work / "nonsense", GAIN), "for the benchmark").id,
            "trusts no plan": registry.add(noisy(options.other, work / "noisy", NOISE), "for the benchmark").id,
        }
        back = {name: rolled_back(listener, registry, id) for name, id in faults.items()}
        print(
            table(
                ("bundle that", "rolled back after [s]", "goals meanwhile", "because"),
                [(n, *b) for n, b in back.items()],
            )
        )
        print(flush=True)
        return {"missed": counts, "gaps_s": [g for _, g, _ in swaps], "goals": goals, "rolled_back": back}
    except TimeoutError:
        print((work / "log").read_text()[-6000:], file=sys.stderr)
        raise
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def swap(listener: Listener, registry: Registry, id: str, pause: float) -> tuple[int, float, float]:
    """Promote a bundle and wait until it is in use -> missed cycles, longest gap [s], seconds from promotion to use."""
    known, began = len(listener.active), time.monotonic()
    registry.promote(id, "swapped by the benchmark")
    listener.until(lambda: len(listener.active) > known, 120, f"{id} in use")
    message, at = listener.active[-1]
    assert message.model_id == id, message
    listener.listen(pause)
    return (*listener.around(to_ns(message.header.stamp)), at - began)


def rolled_back(listener: Listener, registry: Registry, id: str) -> tuple[str, str, str]:
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
    return f"{at - began:.1f}", f"{sum(meanwhile)} of {len(meanwhile)}", message.reason


if __name__ == "__main__":
    raise SystemExit(main())
