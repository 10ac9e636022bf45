"""The person beside an exploring robot: puts the object back to the table's middle when wm_explorer asks for it."""

import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from wm_core.qos import STATE
from wm_tasks.client import Client

ASKS_FOR = (
    "object"  # in the explorer's words where a person has something to do, and not the emergency stop or a refused goal
)
AGAIN_S = 10.0  # until the explorer has seen that it was done


class Person(Client):
    """Asks the simulator for what a person would do by hand."""

    NAME = "person"

    def __init__(self) -> None:
        super().__init__()
        self.helped = 0  # times
        self._asked_at = self._done_at = -AGAIN_S
        self.create_subscription(DiagnosticArray, "diagnostics", self._on_diagnostics, STATE)

    def conclude(self) -> None:
        """Nothing to do: the benchmark writes its lines."""

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if asks(status.name, status.level, status.message):
                self._asked_at = time.monotonic()

    def help_with(self, seconds: float, seed: int) -> None:
        """Listen so long; where help is asked for, the object lies as it is drawn with `seed`, and the arm is at its home."""
        self.spin_for(seconds, lambda: self._asked_at > self._done_at + AGAIN_S)
        if self._asked_at > self._done_at + AGAIN_S:
            self.reset_world(seed)
            self.helped, self._done_at = self.helped + 1, time.monotonic()


def asks(name: str, level: bytes, message: str) -> bool:
    """Whether a diagnostic status is the explorer's call for a person."""
    return name == "wm_explorer" and level == DiagnosticStatus.ERROR and ASKS_FOR in message
