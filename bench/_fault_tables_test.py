"""Which faults there are, which of a pair counts, and what the tables say of lines."""

import argparse
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _fault_kinds import BY_NAME, FAULTS, JOINTS_S, NODES, RECORDER, SHARED, hung, slowed
from _fault_page import fault_page
from _fault_tables import PAIRS, recording_name, row, rows, summary
from faults import PROTOCOL, Restarts, judged, tables, wanted

ALL = argparse.Namespace(faults=list(BY_NAME), runs=2, pairs=5, seed=0, random=0)


def line(fault: str, rest: float | None = 0.15, **result: Any) -> dict[str, Any]:
    usual = {
        "stops": True,
        "rest_s": rest,
        "rest_after_observable_s": None if rest is None else max(0.0, rest - 0.1),
        "recovered_s": 2.0,
        "velocity_share": 0.5,
        "position_excess": 0.0,
        "tool_speed": 0.4,
        "exceeded": False,
        "stolen": 0.01,
        "problems": [],
        "memory": {},
        "launch": "a",
        "launched_s": 60.0,
    }
    return {"fault": fault, "index": 0, "commit": "abc", "time": "2025-01-02T03:04:05", "result": usual | result}


RECORDED = {
    "fault": recording_name(SHARED),
    "index": "a",
    "commit": "abc",
    "time": "2025-01-02T03:04:05",
    "result": {"injected": 3, "bags": 1, "refused": [], "kept": 99, "heard": 99, "dropped": 0, "lost": 0},
}


def test_every_node_is_killed_hung_and_slowed_and_names_are_not_used_twice():
    assert len(BY_NAME) == len(FAULTS)
    for node in (*NODES, RECORDER):
        assert {f"{node} {how}" for how in ("killed", "hung", "slowed")} <= set(BY_NAME)


def test_nobody_can_notice_a_missing_picture_before_it_is_due():
    observable = {
        name: BY_NAME[name].observable
        for name in ("colour drop", "colour freeze", "joints nan", "wm_guard killed", "wm_planner hung")
    }
    assert observable == {
        "colour drop": 0.1,
        "colour freeze": 0.2,  # the first that it repeats is new
        "joints nan": JOINTS_S,
        "wm_guard killed": 0.0,
        "wm_planner hung": 0.1,
    }


def moving(until: float, speed: float = 0.5) -> list[tuple[float, SimpleNamespace]]:
    """An arm that is commanded to move until then, and to rest for a second, every 10 ms."""
    return [
        (0.01 * i, SimpleNamespace(commanded_speed=speed * (0.01 * i < until - 1e-9)))
        for i in range(int(100 * until) + 100)
    ]


def test_of_a_pair_that_counts_which_can_be_noticed_first():
    drop, killed = BY_NAME["colour drop"], BY_NAME["wm_guard killed"]
    assert judged([(0.0, drop), (0.05, killed)], moving(0.3)) == (pytest.approx(0.25), 0.0)
    assert judged([(0.0, drop), (0.2, killed)], moving(0.3)) == (pytest.approx(0.3), 0.1)


def test_an_arm_that_is_stuck_is_noticed_by_the_way_that_it_was_commanded_before_it_rests():
    stuck, drop = BY_NAME["arm stuck"], BY_NAME["colour drop"]
    assert judged([(0.0, stuck)], moving(0.5)) == (pytest.approx(0.5), pytest.approx(0.11 + 0.1))
    assert judged([(0.0, stuck)], moving(0.05)) == (pytest.approx(0.05), None)  # and may be commanded further later
    assert judged([(0.0, stuck), (0.05, drop)], moving(0.3)) == (pytest.approx(0.25), 0.1)


def test_a_run_of_which_nothing_could_be_noticed_is_not_judged():
    before = line("arm stuck", 0.05)
    before["result"]["rest_after_observable_s"] = None
    assert row("a", [before]).share_in_time == "0 of 0" and not row("a", [before]).missed["rest"]


def test_all_runs_are_wanted_once_and_launches_of_their_own_come_last():
    runs = wanted(ALL)
    assert len(runs) == len(set(runs)) == 2 * len(BY_NAME) + 5
    kinds = ["" if " + " in name else BY_NAME[name].launch for name, _ in runs]
    assert kinds == sorted(kinds)


def test_no_node_is_made_to_restart_so_often_that_the_supervisor_gives_up():
    restarts = Restarts()
    for at in range(4):
        assert restarts.allow("wm_planner killed", at)
        restarts.count("wm_planner killed + colour drop", at)
    assert not restarts.allow("colour freeze + wm_planner hung", 5.0)
    assert restarts.allow("wm_planner slowed + wm_guard killed", 5.0) and restarts.allow("wm_planner killed", 132.0)


def test_a_soak_draws_singles_and_pairs_for_one_launch():
    runs = wanted(argparse.Namespace(**{**vars(ALL), "random": 60}))
    assert [index for _, index in runs] == list(range(60))
    pairs = [name for name, _ in runs if " + " in name]
    assert 15 < len(pairs) < 45
    assert all(BY_NAME[name].launch == SHARED for name, _ in runs if name not in pairs)


def test_goals_that_are_missed_are_found():
    assert not any(row("a", [line("colour drop")]).missed.values())
    assert row("a", [line("colour drop", 0.31)]).missed["rest"]
    assert row("a", [line("colour drop", None)]).missed["rest"]
    assert not row("a", [line("colour black", 0.9, stops=False)]).missed["rest"]
    assert row("a", [line("colour drop", exceeded=True)]).missed["limits"]
    assert row("a", [line("colour drop", recovered_s=None)]).missed["recovered"]
    assert row("a", [line("disk full", problems=["nothing was said"])]).missed["problems"]


def test_a_node_that_hangs_does_not_go_on_because_it_is_slowed_too():
    process = subprocess.Popen(["sleep", "60"])
    stack = SimpleNamespace(pid=lambda node: process.pid, hung=set())
    try:
        ends = [slowed("wm_planner")(stack), hung("wm_planner")(stack)]
        states = set()
        for _ in range(40):
            time.sleep(0.01)
            states.add(Path(f"/proc/{process.pid}/stat").read_text().split()[2])
        assert states == {"T"}
        for end in ends:
            end()
    finally:
        process.kill()
        process.wait()


def test_pairs_share_a_row_and_the_rest_follows_the_order_of_faults():
    lines = [line("colour drop + CPU hog"), line("CPU hog"), line("colour drop"), RECORDED]
    assert [each.name for each in rows(lines)] == ["colour drop", "CPU hog", PAIRS]


def test_the_tables_say_what_came_of_it():
    text = tables([line("colour drop", 0.25), line("colour drop", 0.35), RECORDED])
    assert "| 0.30, 0.35, 0.35 " in text and "| 0.20, 0.25, 0.25 " in text and "| 1 of 2 " in text
    assert "2 runs: limits exceeded in 0, recovered in 2." in text
    assert "1 bags of 1 launches, 0 cannot be read; 99 joint states are in them, 99 were heard beside." in text
    assert tables([RECORDED]).startswith("|") and summary([]) == []


@pytest.mark.parametrize("missed", [True, False])
def test_the_page_is_one_file_with_missed_goals_in_red(missed: bool):
    page = fault_page([line("colour drop", 0.9 if missed else 0.15), RECORDED], PROTOCOL)
    assert ('class="missed"' in page) == missed
    assert "<script" not in page and "http" not in page
    assert "colour drop" in page
