"""What a process takes, by the nodes that it has, and the table of it."""

import argparse
import os

import pytest
from _common import shipped
from composed import Shares, by_process, tables, variants


def test_nodes_of_one_process_are_one_row():
    assert by_process({"wm_planner": 7, "wm_guard": 3, "wm_dynamics": 7}) == {
        "wm_guard": 3,
        "wm_dynamics + wm_planner": 7,
    }


def test_a_share_is_processor_time_over_wall_time():
    shares = Shares()
    shares.look({"me": os.getpid(), "gone": 2**22 + 1}, 0.0)
    spent = os.times()
    while sum(os.times()[:2]) - sum(spent[:2]) < 0.2:
        pass
    shares.look({"me": os.getpid()}, 2.0)
    assert 0.09 < shares.shares()["me"] < 0.15 and "gone" not in shares.shares()


def test_both_ways_stand_side_by_side():
    result = {
        "cycles": 100,
        "deadline_misses": 2,
        "latency_ms": {"camera_to_command": {"p50": 30, "p99": 60}},
        "cpu": {"stolen": 0.1},
        "reached": [True, True],
        "steps": [30, 19],
        "seconds": [3.0, 1.8],
    }
    three = {"composed": "false", "rate": 10, "result": result | {"processes": {"wm_planner": 0.3, "wm_dynamics": 0.1}}}
    one = {"composed": "true", "rate": 20, "result": result | {"processes": {"wm_dynamics + wm_planner": 0.35}}}
    text = tables([three, one, three])
    assert "| 10 Hz, three processes | 30, 60; 30, 60" in text and "4 of 200 = 2.0 % | 98.0 %" in text
    assert "| 20 Hz, one process     | wm_dynamics + wm_planner | 35.0 %" in text and "50.0 %" in text


def test_a_bundle_of_another_rate_than_its_task_is_refused_before_anything_is_launched():
    options = argparse.Namespace(bundle=shipped(), bundle_20hz=None, task_20hz="push_20hz")
    assert [(each.composed, each.rate) for each in variants(options)] == [("false", 10), ("true", 10)]
    options.bundle_20hz = shipped()
    with pytest.raises(SystemExit, match="do not fit"):
        variants(options)
