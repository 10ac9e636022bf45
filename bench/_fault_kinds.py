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
from typing import TYPE_CHECKING

import numpy as np

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
END = Callable[[], None]


@dataclass(frozen=True)
class Fault:
    """`begin(stack)` brings it about and returns what ends it. `stops`: the arm must come to rest; else it may go on safely.

    `seconds`: how long it lasts; `alone`: not in random pairs, for it ends what others need.
    """

    name: str
    begin: Callable[["FaultStack"], END]
    seconds: float
    stops: bool
    alone: bool = False


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
        os.kill(pid, signal.SIGSTOP)
        return lambda: _signal(pid, signal.SIGCONT)

    return begin


def slowed(node: str) -> Callable[["FaultStack"], END]:
    """Stopped for 80 of every 100 ms."""

    def begin(stack: "FaultStack") -> END:
        pid, over = stack.pid(node), threading.Event()

        def slow() -> None:
            while not over.is_set():
                _signal(pid, signal.SIGSTOP)
                time.sleep(0.08)
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
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))]

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
    return lambda: stack.call("wm/e_stop_reset")


def lying_states(stack: "FaultStack") -> END:
    return stack.publish_joint_states(lambda names: [0.0] * len(names), rate=50.0)


def commands(kind: str) -> Callable[["FaultStack"], END]:
    """A second publisher of commands, with nonsense of a kind."""
    return lambda stack: stack.publish_commands(kind)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # killed by the supervisor meanwhile
        os.kill(pid, number)


def _sensors() -> list[Fault]:
    found = []
    for target in ("colour", "depth"):
        for kind in ("drop", "freeze", "stuck", "reorder", "nan", "wrong_size", "black", "covered"):
            stops = kind in ("drop", "freeze", "wrong_size")
            found.append(Fault(f"{target} {kind}", simulated(target, kind, 0.0, 2.0), 2.0, stops))
    found.append(Fault("colour swapped", simulated("colour", "swapped", 0.0, 2.0), 2.0, False))
    for kind in ("drop", "freeze", "stuck", "reorder", "nan", "wrong_size", "zeros"):
        found.append(Fault(f"joints {kind}", simulated("joints", kind, 0.0, 2.0), 2.0, kind not in ("reorder",)))
    for target in ("colour", "depth", "joints"):
        for delay in (0.1, 0.5, 2.0):
            name = f"{target} delay {delay:g} s"
            found.append(Fault(name, simulated(target, "delay", delay, 2.0 + delay), 2.0 + delay, delay > 0.3))
    for jump in (-2.0, 2.0):
        found.append(Fault(f"clock jump {jump:+g} s", simulated("clock", "jump", jump, 2.0), 2.0, True))
    return found


FAULTS: tuple[Fault, ...] = (
    *(Fault(f"{node} killed", killed(node), 0.0, node in NODES[1:5], alone=node in ("wm_sim", "wm_lifecycle_manager")) for node in NODES),
    *(Fault(f"{node} hung", hung(node), 4.0, node in NODES[1:5], alone=node in ("wm_sim", "wm_lifecycle_manager")) for node in NODES),
    *(Fault(f"{node} slowed", slowed(node), 3.0, False) for node in NODES[:5]),
    *_sensors(),
    Fault("arm stuck", simulated("arm", "stuck", 0.0, 2.0), 2.0, True),
    Fault("controller inactive", simulated("arm", "inactive", 0.0, 2.0), 2.0, True),
    Fault("second publisher of joint states", lying_states, 2.0, False),
    *(Fault(f"commands {kind}", commands(kind), 2.0, False) for kind in ("nan", "huge", "stale", "contradictory", "flood")),
    Fault("CPU hog", hogged, 3.0, False),
    Fault("object grabbed away", grabbed, 0.5, False),
    Fault("emergency stop", e_stop, 2.0, True),
)  # fmt: skip
BY_NAME = {fault.name: fault for fault in FAULTS}
