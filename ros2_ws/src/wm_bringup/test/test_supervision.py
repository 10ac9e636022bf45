"""The supervisor's decisions, with a clock and processes that the test makes up: order, back-off, adoption, giving up."""

import made_up_stack
import pytest

from wm_bringup.supervision.core import Policy, State, Supervision
from wm_bringup.supervision.processes import Condition, Process

ORDER, TICK, Stack, up = made_up_stack.ORDER, made_up_stack.TICK, made_up_stack.Stack, made_up_stack.up

pytestmark = pytest.mark.ros


def test_all_are_configured_then_all_activated_in_order():
    stack = Stack(*ORDER).run(3)
    assert stack.steps == [f"{step} {name}" for step in ("configure", "activate") for name in ORDER]
    assert stack.statuses == ["starting", "active"] and not stack.faults


def test_nothing_is_activated_before_the_last_one_has_appeared():
    stack = Stack(*ORDER)
    stack.die("planner")
    stack.run(1.5)
    assert stack.steps == ["configure guard", "configure perception"]
    assert stack.run(3).supervision.status == "active"


def test_a_dead_node_is_brought_up_again_and_the_others_are_left_as_they_are():
    stack = up()
    stack.die("perception")
    stack.run(5)
    assert stack.steps == ["configure perception", "activate perception"]
    assert stack.faults == [("perception", "died; restart 1 of at most 5, not before 1 s")]
    assert stack.statuses[-2:] == ["recovering: perception", "active"]


def test_two_dead_nodes_become_active_in_order():
    stack = up()
    stack.die("planner")
    stack.die("guard")
    stack.starts_at["guard"] += 1.0  # the planner is there first, and waits
    stack.run(6)
    assert [step for step in stack.steps if "activate" in step] == ["activate guard", "activate planner"]
    assert stack.supervision.status == "active"


def test_a_hung_node_is_killed_after_the_silence():
    stack = up()
    stack.hung["planner"] = Condition.STOPPED
    stack.run(0.7)
    assert not stack.faults
    stack.run(6)
    assert stack.faults[0][1].startswith("hangs: no sign of life for 1.1 s")
    assert stack.steps == ["configure planner", "activate planner"] and stack.supervision.status == "active"


def test_one_that_computes_or_waits_is_given_more_time():
    stack = up()
    stack.hung["planner"] = Condition.RUNNING
    stack.run(3.5)
    assert not stack.faults
    assert stack.run(1).faults


def test_a_supervisor_that_did_not_run_blames_nobody():
    """A stopped or starved supervisor has heard nobody; the heartbeats are still to be read."""
    stack = up()
    stack.now += 60
    stack.hung = dict.fromkeys(ORDER, Condition.STOPPED)
    stack.run(TICK)
    stack.hung.clear()
    assert not stack.run(1).faults


def test_the_time_until_the_next_try_doubles_and_then_it_gives_up():
    stack = up(policy=Policy(max_restarts=3))
    active_after = []
    for _ in range(3):
        stack.die("planner")
        died = stack.now
        stack.run(1)
        while stack.supervision.status != "active" and stack.now < died + 60:
            stack.run(TICK)
        active_after.append(round(stack.now - died))
    assert active_after == [2, 2, 4]  # the launcher takes 2 s
    stack.die("planner")
    stack.run(1)
    assert stack.supervision.status == "failed: planner died; failure 4 within 120 s"


def test_failures_long_ago_do_not_count():
    stack = up(policy=Policy(max_restarts=1))
    for _ in range(3):
        stack.die("planner")
        stack.run(130)
        assert stack.supervision.status == "active"


def test_a_node_that_cannot_be_configured_ends_the_start_but_is_tried_again_later():
    stack = Stack(*ORDER)
    stack.refuses = {"perception"}
    stack.run(3)
    assert stack.supervision.failed == "perception could not configure: no file"
    stack = up()
    stack.die("perception")
    stack.refuses = {"perception"}
    stack.run(4)
    assert not stack.supervision.failed
    stack.refuses = set()
    assert stack.run(10).supervision.status == "active"


def test_one_that_hangs_before_it_was_heard_of_is_found_and_killed():
    stack = up("recorder")
    for name in ("planner", "recorder"):
        stack.die(name)
    stack.run(1)
    stack.starts_at.clear()
    for name in ("planner", "recorder"):
        stack.start(name)
        stack.hung[name] = Condition.STOPPED
    stack.run(13)
    assert len(stack.faults) == 2
    stack.run(10)
    assert [what[:24] for _, what in stack.faults[2:]] == ["did not appear within 15"] * 2
    assert stack.supervision.status == "active" and stack.supervision.process("recorder")


def test_one_that_never_comes_is_named():
    stack = up()
    stack.die("planner")
    del stack.starts_at["planner"]
    stack.run(40)
    assert stack.supervision.failed == "planner did not appear within 15 s; look for its error above"


def test_a_new_supervisor_adopts_what_runs():
    stack = up()
    stack.supervision = Supervision(ORDER, (), Policy(), stack.now)
    stack.statuses.clear()
    stack.run(3)
    assert stack.statuses == ["", "active"] or stack.statuses == ["active"]
    assert not stack.steps
    stack.die("guard")
    assert stack.run(5).steps == ["configure guard", "activate guard"]


def test_a_new_supervisor_brings_up_what_died_while_there_was_none():
    stack = up()
    stack.die("perception")
    stack.supervision = Supervision(ORDER, (), Policy(), stack.now)
    stack.run(5)
    assert stack.steps == ["configure perception", "activate perception"] and stack.supervision.status == "active"


def test_who_was_deactivated_by_a_person_is_left_alone():
    stack = up()
    stack.states["planner"] = State.INACTIVE
    stack.run(5)
    assert not stack.steps and stack.supervision.deactivated == ["planner"]
    assert stack.supervision.status == "recovering: planner"
    stack.states["planner"] = State.ACTIVE
    assert stack.run(1).supervision.status == "active"


def test_nodes_without_a_life_cycle_are_watched_too():
    stack = up("recorder")
    stack.hung["recorder"] = Condition.STOPPED
    stack.run(5)
    assert stack.faults and stack.supervision.process("recorder") == stack.pids["recorder"]
    assert not stack.steps and stack.statuses[-1] == "active"


def test_one_of_another_machine_is_used_again_once_it_answers():
    supervision = Supervision(("far",), (), Policy(), 0.0)
    far = Process(7, 0)
    supervision.heard("far", far, False, State.ACTIVE.value, 0.0)
    faults = [fault for tick in range(1, 50) for fault in supervision.watch(tick * TICK, lambda _: Condition.GONE)]
    assert len(faults) == 1 and faults[0].kill is None and supervision.status == "recovering: far"
    supervision.heard("far", far, False, State.ACTIVE.value, 5.0)
    assert supervision.status == "active"


def test_nodes_of_one_process_fall_with_it_and_come_back_in_order():
    """One that hangs has a thread of its own and falls silent alone; its process is killed, which ends the others as well."""
    stack = up()
    shared = stack.pids["perception"]
    for name in ("perception", "planner"):
        stack.pids[name] = shared
    stack.run(1)  # heard of in their common process
    stack.steps.clear()
    stack.hung["planner"] = Condition.RUNNING
    stack.run(4.5)
    assert [name for name, _ in stack.faults][:1] == ["planner"] and "hangs" in stack.faults[0][1]
    assert {name: what.partition(";")[0] for name, what in stack.faults}["perception"] == "died"
    stack.run(10)
    assert [step for step in stack.steps if "activate" in step] == ["activate perception", "activate planner"]
    assert stack.supervision.status == "active"
