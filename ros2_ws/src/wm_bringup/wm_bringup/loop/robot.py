"""The simulated robot as the user starts it: the launch file's graph in processes of their own."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from wm_core.atomic import die_with_parent

GRACE_S = 40.0  # for a clean end: the recorder finishes its bag


class RobotError(ValueError):
    """A run of the graph that did not end well: names its log."""


class Robot:
    """`arm_sim.launch.py` with some arguments while the block lasts; what it prints goes to `log`."""

    def __init__(self, log: Path, registry: Path, **arguments: str) -> None:
        """`registry`: the folder that `bundle:=promoted` means."""
        self._log = log
        self._environment = {
            **os.environ,
            "WM_REGISTRY": str(registry.absolute()),
            "PYTHONUNBUFFERED": "1",
            # Neither seen nor disturbed by other robots.
            "ROS_AUTOMATIC_DISCOVERY_RANGE": os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST"),
            "ROS_DOMAIN_ID": os.environ.get("ROS_DOMAIN_ID", str(1 + os.getpid() % 100)),
        }
        pairs = [f"{name}:={value}" for name, value in arguments.items()]
        self._command = [sys.executable, "-m", "wm_bringup.cli", "launch", "arm_sim.launch.py", *pairs]

    def __enter__(self) -> "Robot":
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with open(self._log, "w") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self._environment,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def log(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors="replace")

    def wait(self) -> None:
        """Until it ends by itself; raises RobotError when it fails."""
        if status := self._process.wait():
            raise RobotError(f"expected the run to end well, it ended with {status}; see {self._log}")

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        if self.running:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
