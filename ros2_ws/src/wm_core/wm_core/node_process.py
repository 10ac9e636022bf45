"""The process of a node, or of several: it ends cleanly when it is asked to."""

import faulthandler
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from wm_core.direct_executor import DirectExecutor
from wm_core.launched import CANNOT_RUN, die_with_launcher
from wm_core.lifecycle import WmNode

LOOK_S = 0.2  # until a request to end is seen


def ignore_stop_signals() -> None:
    """For the very end of a main: launch and terminal each send SIGINT, and the second one would kill the interpreter as it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def run(*node_classes: Callable[[], Node], args: list[str] | None = None, priority: int = 0) -> int:
    """Run nodes until SIGINT or SIGTERM; returns the exit code: 0 on a requested end, CANNOT_RUN for what cannot be run.

    `priority`: 1 to 99 for a real-time process (SCHED_FIFO), where the system permits it (rtprio in limits.conf); 0: an ordinary one.

    Several nodes are served by a thread each: none waits for the callback of another, and one that hangs falls silent alone. An
    exception that leaves the executor of one is raised here, once the others have ended too.
    """
    die_with_launcher()
    if priority:
        with suppress(PermissionError):  # before any thread begins: each inherits it
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    faulthandler.register(signal.SIGUSR1)  # who is about to be killed says where it hangs
    rclpy.init(args=args, signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    stop = _Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop.on_signal)
    nodes: list[Node] = []
    try:
        try:
            for node_class in node_classes:
                nodes.append(node_class())
        except ExternalShutdownException:
            return 0
        except Exception as error:  # a parameter refused at declaration, a wrong argument
            print(f"[error] {type(error).__name__}: {error}", flush=True)
            return CANNOT_RUN
        if len(nodes) == 1:
            _serve(nodes[0], stop)
        else:
            _serve_all(nodes, stop)
    finally:
        ignore_stop_signals()
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


class _Stop:
    """Whether the end is asked for. No lock, which a signal handler might find taken by the thread that it interrupts."""

    asked = False

    def on_signal(self, signum: int, frame: Any) -> None:
        self.asked = True


def _serve(node: Node, stop: _Stop) -> None:
    with suppress(ExternalShutdownException):
        executor = DirectExecutor()
        executor.add_node(node)
        while not stop.asked:
            executor.spin_once(timeout_sec=LOOK_S)
        if isinstance(node, WmNode) and node.active:
            node.trigger_deactivate()


def _serve_all(nodes: list[Node], stop: _Stop) -> None:
    failures: list[Exception] = []

    def serve(node: Node) -> None:
        try:
            _serve(node, stop)
        except Exception as error:
            traceback.print_exc()  # at once: the others may take their time to end
            failures.append(error)
            stop.asked = True

    # Daemons: one that hangs must not keep a process whose main thread has failed.
    threads = [threading.Thread(target=serve, args=(node,), name=node.get_name(), daemon=True) for node in nodes]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(LOOK_S)  # signals are handled here
    if failures:
        raise failures[0]
