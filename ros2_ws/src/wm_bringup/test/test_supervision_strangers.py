"""Another wm in the same domain: its nodes are not adopted, and who restarted is distinguished from who is a stranger."""

import made_up_stack
import pytest

from wm_bringup.supervision.core import Policy, State, Supervision
from wm_bringup.supervision.processes import Condition, Process, far
from wm_bringup.supervision.strangers import Strangers

TICK, up = made_up_stack.TICK, made_up_stack.up

pytestmark = pytest.mark.ros


FAR = far(7, "other-host 0123abcd 1")


def test_a_stranger_is_not_adopted_while_the_known_one_lives():
    """Of another host that started a second launch: its heartbeats come between those of the first one's nodes."""
    stack = up()
    mine = stack.pids["planner"]
    for _ in range(20):
        assert stack.supervision.heard("planner", FAR, False, State.UNCONFIGURED.value, stack.now) is None
        stack.run(TICK)
        assert stack.supervision.heard("planner", mine, True, State.ACTIVE.value, stack.now) == FAR  # both live
    assert stack.supervision.process("planner") == mine and stack.supervision.status == "active"
    assert not stack.steps and not stack.faults


def test_no_services_are_called_while_a_stranger_answers_them_too():
    stack = up()
    stack.die("planner")
    for _ in range(60):
        stack.supervision.beside("planner", FAR, stack.now)  # its launch is another, as its supervisor knows
        stack.run(TICK)
    assert not stack.steps and stack.supervision.shared("planner", stack.now)
    assert not stack.supervision.shared("guard", stack.now)
    stack.run(6)
    assert stack.steps == ["configure planner", "activate planner"] and stack.supervision.status == "active"


@pytest.mark.parametrize("restarted", [Process(8, 0), far(8, "other-host 0123abcd 1")])
def test_a_restart_is_adopted_once_the_old_process_is_silent(restarted):
    supervision, now = Supervision(("far",), (), Policy(), 0.0), 0.0
    supervision.heard("far", FAR, False, State.ACTIVE.value, now)
    adopted = None
    while adopted is None and now < 20:
        now += TICK
        assert supervision.heard("far", restarted, not restarted.away, State.ACTIVE.value, now) is None
        supervision.watch(now, lambda _: Condition.RUNNING)
        adopted = now if supervision.process("far") == restarted else None
    assert adopted == pytest.approx(Policy().long_silence, abs=0.5)
    assert supervision.status == "active" and not supervision.shared("far", now)


def test_a_restart_is_adopted_at_once_when_the_old_process_is_gone():
    stack = up()
    stack.die("planner")
    stack.start("planner")  # heard of before anybody looked for the old one
    del stack.starts_at["planner"]
    stack.run(1)
    assert stack.steps == ["configure planner", "activate planner"] and stack.supervision.status == "active"


def test_strangers_are_known_by_their_launcher_or_by_the_own_node_of_the_name():
    mine = {"guard": Process(1, 10)}
    strangers = Strangers(["guard", "recorder"], 0.0, lambda found: found.pid == 2, mine.get)
    assert not strangers.heard("guard", Process(1, 10), 0.1) and not strangers.heard("unknown", FAR, 0.1)
    assert not strangers.heard("recorder", FAR, 0.2) and not strangers.problem(0.2)  # it runs there alone
    assert strangers.heard("guard", Process(2, 10), 0.3) and "guard (process 2) of another" in strangers.problem(0.3)
    mine.clear()  # it died; what was started here will be again
    assert strangers.heard("guard", FAR, 5.0) and strangers.waiting(5.1)
    assert "(process 7 of another machine or container)" in strangers.problem(5.0)
    assert "ROS_DOMAIN_ID or namespace of its own" in strangers.problem(5.0) and not strangers.problem(9.0)
