"""The faults of bench/faults.py: how each is brought about in a running stack, for how long, and what is expected of the stack."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import yaml
from _bad_bundles import other_pace
from _common import shipped
from _small_disk import empty, fill

from wm_bringup.graph_parts import config
from wm_core.atomic import die_with_parent
from wm_core.registry import BUNDLES, Registry
from wm_core.task import load_task

if TYPE_CHECKING:
    from _fault_stack import FaultStack

NODES = (
    "wm_sim",
    "wm_perception",
    "wm_dynamics",
    "wm_planner",
    "wm_guard",
    "wm_lifecycle_manager",
    "wm_bundle_manager",
)
CYCLE = NODES[1:4]  # from camera to command
RECORDER = "wm_recorder"
_SIM = yaml.safe_load(config("arm_sim.yaml").read_text())["/**/wm_sim"]["ros__parameters"]
# [s] between two pictures (and commands), and two joint states, as the launch has them.
FRAME_S, JOINTS_S = load_task().step_duration, 1.0 / float(_SIM["joint_state_rate"])
SHARED, OF_RECORDER, SMALL_DISK = "", "faults of the recorder", "a full disk"  # launches
FOLLOWS_RAD, FOLLOWS_S = 0.05, 0.1  # an arm that follows may be so far, and so late, behind what it is commanded
REFUSAL_S = 30.0  # until a wrong bundle is refused
END = Callable[[], str | None]


@dataclass(frozen=True)
class Fault:
    """`begin(stack)` brings it about and returns what ends it and says what went otherwise than it should (None: nothing did).

    `seconds`: how long it lasts; `stops`: the arm must come to rest, else it may go on safely; `observable`: [s] after its beginning the
    first message that is missing or wrong is due; `way`: [rad] that the arm is commanded to go before that; `alone`: not in random pairs,
    for it ends what others need; `launch`: which launches it is in, one of SHARED, OF_RECORDER and SMALL_DISK.
    """

    name: str
    begin: Callable[["FaultStack"], END]
    seconds: float
    stops: bool
    observable: float = 0.0
    way: float = 0.0
    alone: bool = False
    launch: str = SHARED


def nothing() -> None:
    """Ends by itself."""


def killed(node: str) -> Callable[["FaultStack"], END]:
    def begin(stack: "FaultStack") -> END:
        os.kill(stack.pid(node), signal.SIGKILL)
        return nothing

    return begin


def hung(node: str) -> Callable[["FaultStack"], END]:
    def begin(stack: "FaultStack") -> END:
        pid = stack.pid(node)
        stack.hung.add(pid)
        os.kill(pid, signal.SIGSTOP)

        def end() -> None:
            stack.hung.discard(pid)
            _signal(pid, signal.SIGCONT)

        return end

    return begin


def slowed(node: str) -> Callable[["FaultStack"], END]:
    """Stopped for 80 of every 100 ms."""

    def begin(stack: "FaultStack") -> END:
        pid, over = stack.pid(node), threading.Event()

        def slow() -> None:
            while not over.is_set():
                _signal(pid, signal.SIGSTOP)
                time.sleep(0.08)
                if pid not in stack.hung:
                    _signal(pid, signal.SIGCONT)
                time.sleep(0.02)

        thread = threading.Thread(target=slow, daemon=True)
        thread.start()

        def end() -> None:
            over.set()
            thread.join()

        return end

    return begin


def simulated(target: str, kind: str, amount: float, seconds: float) -> Callable[["FaultStack"], END]:
    def begin(stack: "FaultStack") -> END:
        stack.sim_fault(target, kind, amount, seconds)
        return nothing

    return begin


def hogged(stack: "FaultStack") -> END:
    """Twice as many busy processes as there are cores."""
    command, count = [sys.executable, "-c", "while True: pass"], 2 * (os.cpu_count() or 1)
    busy = [subprocess.Popen(command, preexec_fn=die_with_parent) for _ in range(count)]

    def end() -> None:
        for process in busy:
            process.kill()
            process.wait()

    return end


def grabbed(stack: "FaultStack") -> END:
    angle = np.random.default_rng().uniform(-np.pi, np.pi)
    stack.disturb(displacement=(0.1 * np.cos(angle), 0.1 * np.sin(angle), 0.0))
    return nothing


def e_stop(stack: "FaultStack") -> END:
    stack.call("wm/e_stop")

    def end() -> str | None:
        answer = stack.call("wm/e_stop_reset")
        return None if answer is not None and answer.success else f"the emergency stop was not reset: {answer}"

    return end


def lying_states(stack: "FaultStack") -> END:
    return stack.publish_joint_states(lambda names: [0.0] * len(names), rate=50.0)


def commands(kind: str) -> Callable[["FaultStack"], END]:
    """A second publisher of commands, with nonsense of a kind."""
    return lambda stack: stack.publish_commands(kind)


def broken_bundle(stack: "FaultStack") -> END:
    """Promoted, though one of its files is not what was added."""
    registry = Registry(stack.registry)
    id = registry.add(shipped(), "for the benchmark", id=f"broken-{time.time_ns()}").id
    (registry.folder / BUNDLES / id / "filter.onnx").write_bytes(b"no graph")
    return _promoted(registry, id)


def unfit_bundle(stack: "FaultStack") -> END:
    """Promoted, though it is for another pace."""
    registry = Registry(stack.registry)
    with TemporaryDirectory(prefix="wm_faults_") as work:
        source = other_pace(shipped(), Path(work) / "bundle")
        id = registry.add(source, "for the benchmark", id=f"pace-{time.time_ns()}").id
    return _promoted(registry, id)


def _promoted(registry: Registry, id: str) -> END:
    before = registry.promoted().id
    registry.promote(id, "wrong on purpose", forced=True)

    def end() -> str | None:
        deadline = time.monotonic() + REFUSAL_S
        while (found := registry.promoted().id) != before and time.monotonic() < deadline:
            time.sleep(0.1)
        return None if found == before else f"{found} was not refused within {REFUSAL_S:.0f} s"

    return end


def full_disk(stack: "FaultStack") -> END:
    fill(stack.bags)

    def end() -> str | None:
        empty(stack.bags)
        said = stack.recorder.state if stack.recorder else "nothing"
        return None if said.startswith("stopped") else f"the recorder said '{said}', not that it stopped"

    return end


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # killed by the supervisor meanwhile
        os.kill(pid, number)


def _of_nodes() -> list[Fault]:
    found = []
    for node in (*NODES, RECORDER):
        observable = FRAME_S if node in CYCLE else 0.0
        alone, stops = node in ("wm_sim", "wm_lifecycle_manager"), node in NODES[1:5]
        launch = OF_RECORDER if node == RECORDER else SHARED
        found += [
            Fault(f"{node} killed", killed(node), 0.0, stops, observable, alone=alone, launch=launch),
            Fault(f"{node} hung", hung(node), 4.0, stops, observable, alone=alone, launch=launch),
            # While the simulator is slowed, so is the arm: how soon it rests says nothing.
            Fault(f"{node} slowed", slowed(node), 3.0, False, observable, alone=node == "wm_sim", launch=launch),
        ]
    return found


def _of_sensors() -> list[Fault]:
    found = []
    for target in ("colour", "depth"):
        for kind in ("drop", "cut", "freeze", "stuck", "reorder", "nan", "wrong_size", "black", "covered"):
            stops = kind in ("drop", "cut", "freeze", "wrong_size")
            due = FRAME_S + FRAME_S * (kind == "freeze")  # the first of these is new
            found.append(Fault(f"{target} {kind}", simulated(target, kind, 0.0, 2.0), 2.0, stops, due))
    found.append(Fault("colour swapped", simulated("colour", "swapped", 0.0, 2.0), 2.0, False, FRAME_S))
    for kind in ("drop", "cut", "freeze", "stuck", "reorder", "nan", "wrong_size", "zeros"):
        due, way = JOINTS_S + JOINTS_S * (kind == "freeze"), 0.0
        if kind == "stuck":
            due, way = FOLLOWS_S, FOLLOWS_RAD
        found.append(Fault(f"joints {kind}", simulated("joints", kind, 0.0, 2.0), 2.0, kind != "reorder", due, way))
    for target, period in (("colour", FRAME_S), ("depth", FRAME_S), ("joints", JOINTS_S)):
        for delay in (0.1, 0.5, 2.0):
            begin, seconds = simulated(target, "delay", delay, 2.0 + delay), 2.0 + delay
            found.append(Fault(f"{target} delay {delay:g} s", begin, seconds, delay > 0.3, period))
    for jump in (-2.0, 2.0):
        found.append(Fault(f"clock jump {jump:+g} s", simulated("clock", "jump", jump, 2.0), 2.0, True, JOINTS_S))
    # A trajectory comes with each command.
    for kind, due, way in (("stuck", FOLLOWS_S, FOLLOWS_RAD), ("inactive", JOINTS_S, 0.0), ("cut", FRAME_S, 0.0)):
        found.append(Fault(ARM_FAULTS[kind], simulated("arm", kind, 0.0, 2.0), 2.0, True, due, way))
    return found


ARM_FAULTS = {"stuck": "arm stuck", "inactive": "controller inactive", "cut": "controller cut"}
FAULTS: tuple[Fault, ...] = (
    *_of_nodes(),
    *_of_sensors(),
    Fault("second publisher of joint states", lying_states, 2.0, False, JOINTS_S),
    *(
        Fault(f"commands {kind}", commands(kind), 2.0, False)
        for kind in ("nan", "huge", "stale", "contradictory", "flood")
    ),
    Fault("bundle broken", broken_bundle, 1.0, False),
    Fault("bundle unfit", unfit_bundle, 1.0, False),
    Fault("CPU hog", hogged, 3.0, False),
    Fault("disk full", full_disk, 3.0, False, launch=SMALL_DISK),
    Fault("object grabbed away", grabbed, 0.5, False),
    Fault("emergency stop", e_stop, 2.0, True),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
