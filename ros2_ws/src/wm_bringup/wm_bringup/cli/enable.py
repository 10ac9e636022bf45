"""The enabling key: the arm moves while a key is held down in this terminal, and is held when it is released.

The first half second is the keyboard's own delay: holding begins with the key's first repetition. Ctrl-C ends it.
"""

import argparse
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from wm_bringup.cli._running import add_namespace, speaker

PERIOD_S = 0.02  # between two messages
REPEATED_S = 0.12  # between two characters of a key that is held down; keyboards repeat ten to forty times a second


class Key:
    """Whether a key is held down, known by its repetition alone; times [s] of a steady clock."""

    def __init__(self) -> None:
        self._last, self._repeated = -float("inf"), False

    def came(self, now: float) -> None:
        """A character came."""
        self._repeated = now - self._last <= REPEATED_S
        self._last = now

    def held(self, now: float) -> bool:
        """A key that was struck once is not."""
        self._repeated = self._repeated and now - self._last <= REPEATED_S
        return self._repeated


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_namespace(parser)


def run(options: argparse.Namespace) -> int:
    from rclpy.qos import QoSProfile
    from std_msgs.msg import Bool

    if not sys.stdin.isatty():
        raise ValueError("expected a terminal in which a key can be held down, standard input is none")
    with speaker(options.namespace) as wm, _characters():
        publisher = wm.node.create_publisher(Bool, "wm/enable", QoSProfile(depth=1))
        print(
            "hold a key down, such as the space bar: the arm may move; release it: the arm is held. Ctrl-C ends.",
            flush=True,
        )
        key, was = Key(), False
        try:
            while True:
                while select.select([sys.stdin], [], [], 0)[0]:
                    os.read(sys.stdin.fileno(), 64)
                    key.came(time.monotonic())
                held = key.held(time.monotonic())
                publisher.publish(Bool(data=held))
                if held != was:
                    print("enabled " if held else "released", end="\r", flush=True)
                was = held
                wm.spin(0.0)
                time.sleep(PERIOD_S)
        finally:
            publisher.publish(Bool(data=False))


@contextmanager
def _characters() -> Iterator[None]:
    """Characters come one by one and are not shown."""
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
