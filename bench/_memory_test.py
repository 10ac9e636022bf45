"""Whether memory grows, out of lines of results."""

import os
import time
from typing import Any

import pytest
from _memory import SUPERVISOR, growth, memory, soak_table, supervisor_ends


def line(at: float, mib: float, pid: int = 7, fault: str = "colour drop", name: str = SUPERVISOR) -> dict[str, Any]:
    found = {name: {"pid": pid, "uss_mib": 2 * mib, "anonymous_mib": mib, "age_s": at}}
    return {"fault": fault, "result": {"memory": found, "launch": "a", "launched_s": at}}


def test_memory_is_that_of_the_processes_that_live():
    found = memory({"here": os.getpid(), "gone": 2**22 + 1}, time.time())
    assert (
        set(found) == {"here"}
        and found["here"]["uss_mib"] > 1 < found["here"]["anonymous_mib"]
        and found["here"]["age_s"] >= 0
    )


def test_growth_begins_when_a_process_has_settled():
    lines = [line(60, 50.0), line(360, 100.0), line(700, 101.0)]
    ((name, pid, minutes, first, last),) = growth(lines)
    assert (name, pid, first, last) == (SUPERVISOR, 7, 100.0, 101.0) and minutes == pytest.approx(700 / 60)
    assert growth(lines, "uss_mib")[0][3:] == (200.0, 202.0)
    assert soak_table(lines).count("+1.0 %") == 2
    assert growth(lines[:2]) == [] and soak_table(lines[:2]) == ""


def test_an_end_of_the_supervisor_counts_unless_it_was_meant():
    assert supervisor_ends([line(1, 1.0), line(2, 1.0, pid=8)]) == 1
    meant = f"{SUPERVISOR} killed"
    away = {
        "fault": meant,
        "result": {"memory": {}, "launch": "a", "launched_s": 2},
    }  # not there again when it was looked for
    assert supervisor_ends([line(1, 1.0), away, line(3, 1.0, pid=8)]) == 0
    assert supervisor_ends([line(1, 1.0), line(2, 1.0, pid=8, fault=meant)]) == 0
    assert supervisor_ends([line(1, 1.0), line(2, 1.0, fault=meant), line(3, 1.0, pid=8)]) == 0
