"""The report of a run: per episode and over all, as JSON with stable keys. Pure: no ROS."""

import json
import math
import os
import platform
import tempfile
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from wm_core.revision import revision
from wm_tasks.cycle import shown

LATENCIES = ("camera_to_command", "encode", "filter", "plan")


@dataclass
class Episode:
    """One goal: positions [m], `time_s` in robot time."""

    seed: int
    start: list[float]
    goal: list[float]
    final_distance_m: float
    steps: int
    time_s: float
    message: str
    path: list[list[float]] = field(default_factory=list)  # believed object positions

    def success(self, tolerance_m: float) -> bool:
        return bool(self.final_distance_m <= tolerance_m)


@dataclass(frozen=True)
class CpuTimes:
    """Ticks of all cores since boot, from /proc/stat."""

    total: int
    idle: int
    stolen: int  # given to others by the hypervisor while this machine wanted them

    @staticmethod
    def now() -> "CpuTimes | None":
        """None where there is no /proc/stat."""
        try:
            ticks = [int(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        except OSError:
            return None
        return CpuTimes(sum(ticks[:8]), ticks[3] + ticks[4], ticks[7])

    def since(self) -> dict[str, float] | None:
        """Shares busy and stolen from then until now: latency on a machine that is lent to others says little."""
        now = CpuTimes.now()
        if now is None or now.total <= self.total:
            return None
        whole = now.total - self.total
        return {
            "busy": round(1 - (now.idle - self.idle) / whole, 3),
            "stolen": round((now.stolen - self.stolen) / whole, 3),
        }


@dataclass
class Run:
    """Everything measured in one run."""

    world: str
    bundle: str
    planner: str
    seed: int
    lockstep: bool
    task: str
    robot: str
    distance_m: float  # of the true object from the goal, at most: a success
    wanted: int = 0  # episodes that were asked for; 0: until stopped
    episodes: list[Episode] = field(default_factory=list)
    latency_ms: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in LATENCIES})
    stages_ms: list[tuple[float, ...]] = field(default_factory=list)  # of each cycle, see cycle.py
    cycles: int = 0
    deadline_misses: int = 0
    cpu: "CpuTimes | None" = field(default_factory=lambda: CpuTimes.now())  # when the run began

    @property
    def successes(self) -> int:
        return sum(episode.success(self.distance_m) for episode in self.episodes)

    @property
    def within(self) -> str:
        """What counts as a success, in words."""
        return f"within {100 * self.distance_m:g} cm"

    @property
    def interrupted(self) -> str:
        """Of how many episodes a run was that ended before all were done; empty: it was not."""
        return f"interrupted after {len(self.episodes)} of {self.wanted}" if len(self.episodes) < self.wanted else ""

    def summary(self) -> dict[str, Any]:
        """The JSON document; see README for the meaning of each key."""
        success = self.successes, len(self.episodes)
        rates = {tolerance: [episode.success(tolerance / 100) for episode in self.episodes] for tolerance in (2, 3)}
        document: dict[str, Any] = {
            "success_distance_m": self.distance_m,
            "success_rate": success[0] / success[1] if success[1] else None,
            "success_interval": [round(bound, 4) for bound in wilson(*success)],
            "episodes_wanted": self.wanted or None,
            "interrupted": bool(self.interrupted),
        }
        for tolerance, outcomes in rates.items():
            document[f"success_rate_{tolerance}cm"] = float(np.mean(outcomes)) if outcomes else None
            document[f"success_interval_{tolerance}cm"] = [
                round(bound, 4) for bound in wilson(sum(outcomes), len(outcomes))
            ]
        document["episodes"] = [
            {
                **asdict(episode),
                "success": episode.success(self.distance_m),
                "success_2cm": episode.success(0.02),
                "success_3cm": episode.success(0.03),
            }
            for episode in self.episodes
        ]
        document["latency_ms"] = {name: percentiles(values) for name, values in self.latency_ms.items()}
        document["stages_ms"] = shown(self.stages_ms)
        document["latency_clock"] = "wall time from frame to command" if self.lockstep else "camera stamp to command"
        document |= {
            "cpu": self.cpu.since() if self.cpu else None,
            "cycles": self.cycles,
            "deadline_misses": self.deadline_misses,
            "seed": self.seed,
            "world": self.world,
            "task": self.task,
            "robot": self.robot,
            "bundle": self.bundle,
            "planner": self.planner,
            "real_time": not self.lockstep,
            "versions": versions(),
        }
        return document


def percentiles(values: list[float]) -> dict[str, float | None]:
    """p50 and p99 of finite values [ms]; null without any."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return {"p50": None, "p99": None}
    return {"p50": round(float(np.quantile(finite, 0.5)), 3), "p99": round(float(np.quantile(finite, 0.99)), 3)}


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson score interval of a rate (Wilson 1927), 95 % by default; (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    rate, spread = successes / trials, z * z / trials
    centre = (rate + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(rate * (1 - rate) / trials + spread / (4 * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def versions() -> dict[str, str]:
    """Versions of what computed the run."""
    found = {"python": platform.python_version(), "wm": revision()}
    for package in ("numpy", "onnxruntime", "pybullet", "pin", "opencv-python-headless", "ros-jazzy-rclpy"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def write_json(document: dict[str, Any], file: Path) -> None:
    """Write completely or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w") as stream:
            json.dump(document, stream, indent=1, allow_nan=False)
        os.chmod(name, 0o644)
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
