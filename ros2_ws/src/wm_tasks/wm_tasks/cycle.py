"""Where the time of a control cycle goes, from when its messages were sent and how long nodes computed. Pure: no ROS."""

from collections.abc import Sequence

import numpy as np

# From a camera's stamp to the trajectory, in order. What is not computed is transport, waiting for the other camera, and for a processor.
STAGES = (
    "camera",  # from the stamp until the driver has sent the frame
    "to perception",
    "encode",
    "to dynamics",
    "filter",
    "to planner",
    "plan",
    "to guard",  # until the guard has sent the trajectory
)
SENT = (
    "frame",
    "observation",
    "belief",
    "command",
    "executed",
)  # messages of a cycle, by the stamp that they have in common
COMPUTED = ("encode", "filter", "plan")  # durations [ms] that nodes say, one between two of these
KEPT = 50  # cycles of which not everything is known yet
SLOWEST = 0.02  # share of cycles that are shown as the slowest
TYPICAL = (0.4, 0.6)  # cycles between these quantiles are shown as typical


class Cycles:
    """Collects the stages [ms] of each cycle of which every message was heard."""

    def __init__(self) -> None:
        self._open: dict[int, dict[str, float]] = {}  # by stamp [ns]
        self.stages: list[tuple[float, ...]] = []  # in the order of STAGES

    def sent(self, name: str, stamp_ns: int, sent_ns: int) -> None:
        """A message of SENT was sent then."""
        self._add(stamp_ns, name, sent_ns / 1e6)

    def computed(self, name: str, stamp_ns: int, milliseconds: float) -> None:
        """How long a node computed, of COMPUTED."""
        self._add(stamp_ns, name, milliseconds)

    def _add(self, stamp_ns: int, name: str, value: float) -> None:
        cycle = self._open.setdefault(stamp_ns, {})
        cycle.setdefault(name, value)
        if len(cycle) == len(SENT) + len(COMPUTED):
            self.stages.append(stages(stamp_ns / 1e6, self._open.pop(stamp_ns)))
        while len(self._open) > KEPT:
            del self._open[next(iter(self._open))]


def stages(stamp_ms: float, cycle: dict[str, float]) -> tuple[float, ...]:
    """The durations of STAGES [ms] of what was sent when [ms] and computed how long; in simulated time the camera has none."""
    between = [cycle[after] - cycle[before] for before, after in zip(SENT, SENT[1:], strict=False)]
    computed = [min(cycle[name], whole) for name, whole in zip(COMPUTED, between, strict=False)]
    waits = [whole - part for whole, part in zip(between, computed, strict=False)]
    camera = cycle["frame"] - stamp_ms
    found = [camera if 0 <= camera < 1000 else 0.0]
    for wait, part in zip(waits, computed, strict=True):
        found += [wait, part]
    return (*found, between[-1])


def shown(cycles: Sequence[Sequence[float]]) -> dict[str, dict[str, float]]:
    """Mean of each stage [ms] in typical cycles and in the slowest; empty without cycles."""
    if not cycles:
        return {}
    values = np.array(cycles)
    order = np.argsort(values.sum(1))
    low, high = (int(round(share * (len(order) - 1))) for share in TYPICAL)
    slowest = order[-max(1, round(SLOWEST * len(order))) :]
    return {
        name: {
            "typical": round(float(column[order[low : high + 1]].mean()), 3),
            "slowest": round(float(column[slowest].mean()), 3),
        }
        for name, column in zip(STAGES, values.T, strict=True)
    }
