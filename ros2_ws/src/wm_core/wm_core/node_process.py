"""The process of a node: it ends cleanly when it is asked to."""

import faulthandler
import signal
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from wm_core.launched import CANNOT_RUN, die_with_launcher
from wm_core.lifecycle import WmNode


def ignore_stop_signals() -> None:
    """For the very end of a main: launch and terminal each send SIGINT, and the second one would kill the interpreter as it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def run(node_class: Callable[[], Node], args: list[str] | None = None) -> int:
    """Run one node until SIGINT or SIGTERM; returns the exit code: 0 on a requested end, CANNOT_RUN for what cannot be run."""
    die_with_launcher()
    faulthandler.register(signal.SIGUSR1)  # who is about to be killed says where it hangs
    rclpy.init(args=args, signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    stopping = False

    def stop(signum: int, frame: Any) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    node: Node | None = None
    try:
        node = node_class()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while not stopping:
            executor.spin_once(timeout_sec=0.2)
        if isinstance(node, WmNode) and node.active:
            node.trigger_deactivate()
    except ExternalShutdownException:
        pass
    except Exception as error:
        if node is None:  # a parameter refused at declaration, a wrong argument
            print(f"[error] {type(error).__name__}: {error}", flush=True)
            return CANNOT_RUN
        raise
    finally:
        ignore_stop_signals()
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
