"""The explorer's decisions, and what it counts."""

import json

import numpy as np
import pytest

from wm_core.task import load_task
from wm_tasks.exploring import MOST_RETURNS, ExplorerCore, Kind, Scene
from wm_tasks.exploring_report import ExploringReport

REGIONS = load_task("push").exploring
CENTRE, EDGE, GONE = (0.5, 0.0), (0.65, 0.0), (0.72, 0.0)


def scene(xy=CENTRE, unseen_s=0.0, stopped=False):
    return Scene(np.array(xy), unseen_s, stopped)


def test_an_object_in_the_middle_is_explored_and_now_and_then_brought_to_a_new_place():
    core = ExplorerCore(REGIONS, 0, 20.0)
    kinds = []
    for _ in range(200):
        order = core.next(scene())
        kinds.append(order.kind)
        if order.kind is Kind.RETURN:
            assert REGIONS.middle.contains(order.xy)
        core.ended(order)
    assert set(kinds) == {Kind.EXPLORE, Kind.RETURN} and kinds[0] is Kind.EXPLORE
    assert 20 < kinds.count(Kind.RETURN) < 60
    assert all(kinds[i + 1] is Kind.EXPLORE for i, kind in enumerate(kinds[:-1]) if kind is Kind.RETURN)


def test_an_object_that_strays_is_brought_back():
    core = ExplorerCore(REGIONS, 0, 20.0)
    order = core.next(scene())
    assert not core.breaks_off(order, scene())
    assert "strays" in core.breaks_off(order, scene(EDGE))
    core.ended(order)
    back = core.next(scene(EDGE))
    assert back.kind is Kind.RETURN and REGIONS.middle.contains(back.xy)
    assert not core.breaks_off(back, scene(EDGE)), "bringing it back is not broken off because it is at the edge"


def test_returns_that_do_not_help_end_with_a_call_for_help():
    core = ExplorerCore(REGIONS, 0, 20.0)
    for _ in range(MOST_RETURNS):
        core.ended(core.next(scene(EDGE)))
    assert core.next(scene(EDGE)).kind is Kind.RESCUE
    core.rescued()
    assert core.next(scene()).kind is Kind.EXPLORE


@pytest.mark.parametrize(("lost", "why"), [(scene(GONE), "out of reach"), (scene(unseen_s=9.0), "not been seen")])
def test_an_object_that_is_lost_needs_help(lost, why):
    core = ExplorerCore(REGIONS, 0, 20.0)
    order = core.next(scene())
    assert core.breaks_off(order, lost)
    core.ended(order)
    rescue = core.next(lost)
    assert rescue.kind is Kind.RESCUE and why in rescue.reason
    assert core.next(scene()).kind is not Kind.RESCUE, "a person has put it back"


def test_an_emergency_stop_is_waited_for():
    core = ExplorerCore(REGIONS, 0, 20.0)
    pause = core.next(scene(stopped=True))
    assert pause.kind is Kind.PAUSE and "wm/e_stop_reset" in pause.reason
    assert core.next(scene()).kind is Kind.EXPLORE


def test_refused_goals_are_tried_again_later_and_later():
    core, pauses = ExplorerCore(REGIONS, 0, 20.0), []
    for _ in range(8):
        core.refused()
        pauses.append(core.next(scene()).seconds)
        assert core.next(scene()).kind is Kind.EXPLORE
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    core.ended(core.next(scene()))
    core.refused()
    assert core.next(scene()).seconds == 1, "one that was accepted begins anew"


def test_the_report_counts_what_moves_while_exploring():
    report = ExploringReport()
    report.begin(Kind.EXPLORE)
    for i in range(101):  # round and round, 1 cm a step
        angle = 0.2 * i
        report.add(i * 10**8, np.array([0.5 + 0.05 * np.cos(angle), 0.05 * np.sin(angle)]), True)
    report.end()
    report.ended(Kind.EXPLORE, True, "")
    report.begin(Kind.RETURN)
    for i in range(101, 151):  # at rest, and not exploring
        report.add(i * 10**8, np.array([0.5, 0.0]), True)
    report.ended(Kind.RETURN, False, "")
    found = report.document()
    assert found["steps"] == 100 and found["contact_share"] == 1
    assert found["minutes"] == 0.25 and found["places"] >= 8 and found["rarest_direction"] > 0.08
    assert (found["explorations"], found["returns"], found["returns_reached"]) == (1, 1, 0)
    json.dumps(found, allow_nan=False)


def test_a_scene_drawn_anew_is_no_motion():
    report = ExploringReport()
    report.begin(Kind.EXPLORE)
    report.add(0, np.array([0.4, 0.0]), True)
    report.add(2 * 10**9, np.array([0.6, 0.0]), True)
    assert report.steps == 0 and report.robot_s == 0
