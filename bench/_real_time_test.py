"""What the guard did with commands, out of what it says, and the tables of that."""

from typing import Any

import dead_guard
import pytest
from real_time import PART, tables, verdict
from wm_msgs.msg import Command


@pytest.mark.parametrize(
    ("status", "reason", "found"),
    [
        (Command.ACTIVE, "", ("", "")),
        (Command.IDLE, "no goal", ("", "")),
        (Command.ACTIVE, "tool_speed: 0.43 of 0.42 m/s: slowed", ("slowed", "tool_speed")),
        (Command.HOLD, "no_command: none for 0.2 s", ("held", "no_command")),
    ],
)
def test_a_command_passes_is_slowed_or_held(status: int, reason: str, found: tuple[str, str]):
    assert verdict(status, reason) == found


def test_the_tables_count_by_reason():
    goal: dict[str, Any] = {
        "success_2cm": True,
        "success_3cm": True,
        "time_s": 3.0,
        "steps": 30,
        "commands": {"all": 40},
        "slowed": {"tool_speed": 10},
        "held": {},
        "interventions": {"tool_speed": 2},
    }
    launch = {
        "cycles": 80,
        "deadline_misses": 1,
        "latency_ms": {"camera_to_command": {"p50": 30, "p99": 60}},
        "cpu": None,
    }
    text = tables([{"result": goal}, {"result": goal}, {"result": launch, "part": PART}])
    assert "2/2 = 100 %" in text and "| 1 of 80 " in text
    assert "| tool_speed | 20 = 25.0 %     | 0 = 0.0 %     | 4             | 2 " in text


def test_a_dead_guard_has_a_row_a_signal():
    result = {
        "commanded_rest_s": 0.12,
        "arm_rest_s": 0.18,
        "way_m": 0.02,
        "recovered_s": 4.0,
        "exceeded": False,
        "stolen": 0.0,
    }
    text = dead_guard.tables(
        [{"signal": "SIGKILL", "result": result}, {"signal": "SIGKILL", "result": result | {"arm_rest_s": None}}]
    )
    assert "0.18, 0.18, 0.18, 1 not seen" in text and "1 of 2" in text and "20, 20" in text
