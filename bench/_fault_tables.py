"""What came of injected faults, a row a fault: for Markdown here, for HTML in _fault_page.py."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from _common import groups, table
from _fault_kinds import BY_NAME, SHARED
from _results import Line

PAIRS = "random pairs"
RECORDING = "the recording of a launch"
GOAL_S = 0.2  # from when a fault can be noticed until the arm rests


@dataclass
class Row:
    """Lines of one fault, or of all pairs. Times in seconds."""

    name: str
    stops: bool
    runs: int
    rests: list[float] = field(default_factory=list)  # from the beginning
    noticed: list[float] = field(default_factory=list)  # from when it can be noticed
    moving: int = 0  # runs that should have come to rest and did not
    exceeded: int = 0
    recoveries: list[float] = field(default_factory=list)
    tool_speed: float = 0.0  # [m/s] worst
    stolen: float = 0.0  # mean share
    problems: list[str] = field(default_factory=list)

    @property
    def in_time(self) -> int:
        return sum(each <= GOAL_S for each in self.noticed)

    @property
    def missed(self) -> dict[str, bool]:
        """Which goals are missed."""
        return {
            "rest": self.stops and self.in_time < len(self.noticed) + self.moving,
            "limits": self.exceeded > 0,
            "recovered": len(self.recoveries) < self.runs,
            "problems": bool(self.problems),
        }

    @property
    def expected(self) -> str:
        return "at rest" if self.stops else "may go on"

    @property
    def rest(self) -> str:
        return spread(self.rests) if self.stops else "may go on"

    @property
    def after(self) -> str:
        if not self.stops:
            return ""
        moving = f", {self.moving} not" if self.moving else ""
        return spread(self.noticed) + moving

    @property
    def share_in_time(self) -> str:
        return f"{self.in_time} of {len(self.noticed) + self.moving}" if self.stops else ""


def spread(values: list[float]) -> str:
    """Median, 99th percentile and worst."""
    return f"{np.median(values):.2f}, {np.quantile(values, 0.99):.2f}, {max(values):.2f}" if values else "-"


def row(name: str, lines: list[Line]) -> Row:
    results = [line["result"] for line in lines]
    stopping = [each for each in results if each["stops"]]
    resting = [each for each in stopping if each["rest_s"] is not None]
    return Row(
        name,
        bool(stopping),
        len(results),
        [each["rest_s"] for each in resting],
        [after for each in resting if (after := each["rest_after_observable_s"]) is not None],
        len(stopping) - len(resting),
        sum(each["exceeded"] for each in results),
        [each["recovered_s"] for each in results if each["recovered_s"] is not None],
        max(each["tool_speed"] or 0.0 for each in results),
        float(np.mean([each["stolen"] for each in results])),
        [problem for each in results for problem in each["problems"]],
    )


def rows(lines: list[Line]) -> list[Row]:
    """One a fault in the order of FAULTS, the pairs in one."""
    named = [line | {"row": PAIRS if " + " in line["fault"] else line["fault"]} for line in injected(lines)]
    order = [*BY_NAME, PAIRS]
    found = sorted(groups(named, "row").items(), key=lambda item: order.index(item[0][0]))
    return [row(name, of) for (name,), of in found]


def injected(lines: list[Line]) -> list[Line]:
    return [line for line in lines if not line["fault"].startswith(RECORDING)]


def recordings(lines: list[Line]) -> list[Line]:
    """Those about what a launch recorded."""
    return [line for line in lines if line["fault"].startswith(RECORDING)]


HEADER = (
    "fault",
    "runs",
    "rest after its beginning [s]",
    "after it can be noticed [s]",
    f"within {GOAL_S:g} s",
    "limits exceeded",
    "recovered",
    "after [s]",
    "stolen",
)


def fault_table(lines: list[Line]) -> str:
    """Times: median, 99th percentile and worst."""
    return table(
        HEADER,
        (
            (
                each.name,
                each.runs,
                each.rest,
                each.after,
                each.share_in_time,
                each.exceeded,
                f"{len(each.recoveries)} of {each.runs}",
                spread(each.recoveries),
                f"{100 * each.stolen:.0f} %",
            )
            for each in rows(lines)
        ),
    )


def summary(lines: list[Line]) -> list[str]:
    """Sentences about all runs together and about the recordings."""
    found = injected(lines)
    if not found:
        return []
    whole = row("all", found)
    said = [
        f"{whole.runs} runs: limits exceeded in {whole.exceeded}, recovered in {len(whole.recoveries)}.",
        f"Rest (median, 99th percentile, worst): {spread(whole.rests)} s after the beginning, {spread(whole.noticed)} s after the"
        f" fault can be noticed; within {GOAL_S:g} s in {whole.share_in_time or 'none'}.",
    ]
    if whole.problems:
        said.append(f"Otherwise than expected: {'; '.join(sorted(set(whole.problems)))}.")
    return said + [_kept(name, of) for (name,), of in groups(recordings(lines), "fault").items()]


def recording_name(launch: str) -> str:
    """Of the lines about the recordings of some launches."""
    return RECORDING if launch == SHARED else f"{RECORDING} with {launch}"


def _kept(name: str, lines: list[Line]) -> str:
    results: list[dict[str, Any]] = [line["result"] for line in lines]
    total = {key: sum(each[key] or 0 for each in results) for key in ("bags", "kept", "heard")}
    refused = sum(len(each["refused"]) for each in results)
    return (
        f"{name[0].upper()}{name[1:]}: {total['bags']} bags of {len(results)} launches, {refused} cannot be read; {total['kept']} joint"
        f" states are in them, {total['heard']} were heard beside."
    )
