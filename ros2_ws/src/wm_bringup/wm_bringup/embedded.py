"""Runs a graph as processes, for machines without ROS 2's launch: same nodes, same parameters, same end."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import yaml

from wm_bringup.graph_parts import Graph, Node
from wm_bringup.supervision.ends import RESPAWN_S, End, after, reason
from wm_bringup.supervision.processes import Patience
from wm_core.launched import LAUNCHER_PID

GRACE_S = 10.0  # without work, for a clean end after SIGTERM, then SIGKILL
LONGEST_S = 60.0  # for the same with work
KILL_S = 3.0
SAY_S = 0.5  # for who hangs to say where
_PR_SET_PDEATHSIG = 1


class Runner:
    """Starts all nodes of a graph, starts again those that are to go on, and ends them together, whatever happens."""

    def __init__(self, graph: Graph, python: str = sys.executable) -> None:
        self._graph = graph
        self._python = python
        self._processes: dict[str, subprocess.Popen] = {}
        self._overrides: dict[str, Path] = {}
        self._readers: list[threading.Thread] = []
        self._print_lock = threading.Lock()
        self._stop_signal: int | None = None

    def run(self) -> int:
        """Start everything, wait for the end, return the exit status: that of the node that ended it, 0 on Ctrl-C."""
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with self.started():
                return self._wait()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def started(self) -> Iterator[None]:
        """All nodes run within the `with` block."""
        try:
            with tempfile.TemporaryDirectory(prefix="wm_launch_") as folder:
                for index, node in enumerate(self._graph.nodes):
                    self._overrides[node.name] = Path(folder) / f"{index}.yaml"
                    self._start(node)
                yield
                self._end()
        finally:
            self._end()

    def ended(self) -> list[str]:
        """Names of the nodes that do not run any more."""
        return [name for name, process in self._processes.items() if process.poll() is not None]

    def command(self, node: Node, overrides: Path) -> list[str]:
        """Command line of a node; its parameter overrides are written to `overrides`."""
        overrides.write_text(yaml.safe_dump(node.overrides))
        files = [
            argument for file in (*self._graph.params_files, overrides) for argument in ("--params-file", str(file))
        ]
        remap = [word for rule in node.named for word in ("-r", rule)]
        if self._graph.namespace:
            remap += ["-r", f"__ns:=/{self._graph.namespace}"]
        for source, target in self._graph.remappings:
            remap += ["-r", f"{source}:={target}"]
        return [self._python, "-m", node.module, "--ros-args", *remap, *files, "--log-level", self._graph.log_level]

    # -- inside --------------------------------------------------------------------------------------------------

    def _start(self, node: Node) -> None:
        environment = {**os.environ, **self._graph.environment, "PYTHONUNBUFFERED": "1", LAUNCHER_PID: str(os.getpid())}
        environment.setdefault("OMP_NUM_THREADS", "1")  # two cores for seven processes
        process = subprocess.Popen(
            self.command(node, self._overrides[node.name]),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            env=environment,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        self._processes[node.name] = process
        assert process.stdout is not None
        reader = threading.Thread(target=self._forward, args=(node.name, process.stdout), daemon=True)
        reader.start()
        self._readers = [*(each for each in self._readers if each.is_alive()), reader]

    def _forward(self, name: str, stream: IO[str]) -> None:
        for line in stream:
            with self._print_lock:
                print(f"[{name}] {line.rstrip()}", flush=True)

    def _on_signal(self, number: int, frame: object) -> None:
        self._stop_signal = number

    def _wait(self) -> int:
        """Until a node's end is the end of all, or a signal comes; returns the exit status."""
        nodes = {node.name: node for node in self._graph.nodes}
        again: dict[str, float] = {}  # when which is started again
        alone: set[str] = set()
        while self._stop_signal is None:
            for name in [name for name, at in again.items() if at <= time.monotonic()]:
                del again[name]
                self._start(nodes[name])
            for name in nodes.keys() - again.keys() - alone:
                status = self._processes[name].poll()
                if status is None:
                    continue
                node = nodes[name]
                end = after(node.respawn, node.final, node.ends_all, status)
                if status != 0 or end is not End.OF_ALL:
                    self._say(f"{name} ended with {reason(status)}: {end.value}")
                if end is End.OF_ALL:
                    return status if status >= 0 else 128 - status
                if end is End.ALONE:
                    alone.add(name)
                else:
                    again[name] = time.monotonic() + RESPAWN_S
            time.sleep(0.05)
        return 0

    def _end(self) -> None:
        """SIGTERM to what still runs, in reverse order, then SIGKILL. Not SIGINT: it litters imports with tracebacks.

        A process that still works is given time: on a loaded machine, an end takes long.
        """
        running = {name: each for name, each in self._processes.items() if each.poll() is None}
        for process in reversed(list(running.values())):
            _send(process, signal.SIGTERM)
        began, patience = time.monotonic(), Patience(GRACE_S, LONGEST_S)
        while running := {name: each for name, each in running.items() if each.poll() is None}:
            late = [name for name in running if patience.over(running[name].pid, time.monotonic())]
            if late:
                self._kill({name: running.pop(name) for name in late}, time.monotonic() - began)
            time.sleep(0.02)
        for reader in self._readers:
            reader.join(timeout=1.0)
        self._readers.clear()

    def _kill(self, late: dict[str, subprocess.Popen], seconds: float) -> None:
        """End processes that do not by themselves; before, those of nodes print where they hang (see node_process)."""
        self._say(f"{', '.join(late)} did not end within {seconds:.0f} s: SIGKILL")
        for number, wait in ((signal.SIGUSR1, SAY_S), (signal.SIGKILL, KILL_S)):
            for process in late.values():
                _send(process, number)
            deadline = time.monotonic() + wait
            while time.monotonic() < deadline and any(process.poll() is None for process in late.values()):
                time.sleep(0.02)

    def _say(self, text: str) -> None:
        with self._print_lock:
            print(f"[wm] {text}", flush=True)


def _send(process: subprocess.Popen, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)  # start_new_session: the process leads its own group


def _die_with_parent() -> None:
    """In the child: the kernel kills it when the runner dies, even by SIGKILL. Linux only, like the wheels."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
