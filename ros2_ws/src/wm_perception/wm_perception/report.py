"""What perception says in its diagnostics: how much it saw, and what is wrong with what it is given."""

import time
from collections.abc import Callable, Iterable, Mapping

from wm_core.clock_offset import ClockOffset
from wm_core.lifecycle import OK, WARN, WmNode
from wm_core.publishers import publishers_of
from wm_core.recent import RecentCounts
from wm_perception.streams import COLOUR, JOINTS, Streams

OBSERVATIONS = "observations"
# Counts that say nothing is wrong; pixels without a reading are marked as invalid by every camera (REP-118).
HARMLESS = frozenset({OBSERVATIONS, "complete", "between_steps", "invalid_depth_pixels"})


class Report:
    """`streams`: when each topic was heard."""

    def __init__(self, node: WmNode, cameras: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` [s]: one that nobody sets."""
        self._node, self._clock = node, clock
        self.streams = Streams(lambda topic, kind: publishers_of(node, topic, kind), clock)
        self._clocks = {(COLOUR, name): ClockOffset(f"images of {name}") for name in cameras}
        self._clocks[JOINTS, ""] = ClockOffset("joint states")
        self._recent = RecentCounts()
        self._said_of_info: set[str] = set()

    def heard(self, kind: str, stamp_ns: int, camera: str = "") -> None:
        """A message came. Simulated time comes by messages of its own, which stamps may overtake: it has no offset."""
        self.streams.heard(kind, camera)
        clock = self._clocks.get((kind, camera))
        if clock is not None and not self._node.simulated_time:
            clock.heard(stamp_ns, self._node.get_clock().now().nanoseconds)

    def judge(self, counts: Mapping[str, int], moved: str) -> tuple[bytes, str]:
        """Level and summary, once a second. `counts`: since the node was configured, of which those count that grew of late; `moved`:
        cameras that do not stand where the rig says; empty: none.
        """
        bad = self._recent.grown(counts, self._clock()).keys() - HARMLESS
        faults = [*self.streams.silent(), *self._without_info()]
        if moved:
            faults.append(moved)
            self._node.get_logger().warning(moved, throttle_duration_sec=30.0)
        if bad and self._node.last_problem:
            faults.append(f"last problem: {self._node.last_problem}")
        faults += [text for clock in self._clocks.values() if (text := clock.problem())]
        seen = counts.get(OBSERVATIONS, 0)
        return WARN if bad or faults or not seen else OK, "; ".join([f"{seen} observations", *faults])

    def _without_info(self) -> list[str]:
        """Cameras that are taken for the rig's ideal ones; in the log once for each."""
        found = self.streams.uninformed()
        for name in found.keys() - self._said_of_info:
            self._node.get_logger().warning(f"{name}: {found[name]}")
        self._said_of_info |= found.keys()
        return list(found.values())
