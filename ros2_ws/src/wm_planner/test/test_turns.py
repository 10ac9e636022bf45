"""Whatever arrives first, a belief is answered knowing what became of the command before, and where the arm was."""

from itertools import permutations

import pytest

from wm_planner.turns import Turns


class Planner:
    """Answers each belief with what was reported until then."""

    def __init__(self):
        self.turns: Turns[int] = Turns(patience_s=2.0)
        self.reported, self.answers = [], []

    def believe(self, stamp, now_s=0.0):
        """A belief whose joint state came before."""
        self.turns.measured(stamp)
        self.turns.came(stamp, stamp, now_s)
        self.go_on(now_s)

    def executed(self, stamp):
        self.reported.append(stamp)
        self.turns.reported(stamp)
        self.go_on(0.0)

    def go_on(self, now_s, heard=True):
        belief = self.turns.take(now_s, lambda: heard)
        if belief is not None:
            self.answers.append((belief, tuple(self.reported)))
            self.turns.sent(belief)


@pytest.fixture
def planner():
    return Planner()


@pytest.mark.parametrize("order", permutations(["executed 1", "belief 2"]))
def test_the_order_of_what_is_under_way_together_makes_no_difference(planner, order):
    planner.believe(1)
    for each in order:
        what, stamp = each.split()
        (planner.executed if what == "executed" else planner.believe)(int(stamp))
    assert planner.answers == [(1, ()), (2, (1,))]


def test_a_belief_that_waits_gives_way_to_a_newer_one(planner):
    for stamp in (1, 2, 3):
        planner.believe(stamp)
    planner.executed(1)
    assert planner.answers == [(1, ()), (3, (1,))]


def test_a_belief_that_comes_again_is_answered_again_only_while_nothing_came_of_its_command(planner):
    planner.believe(1)
    for again_s in (1.0, 2.0, 2.9):
        planner.believe(1, again_s)
    assert planner.answers == [(1, ())]
    planner.believe(1, 3.0)  # nobody reported what became of the first command: it is taken for lost
    assert planner.answers == [(1, ()), (1, ())]
    planner.executed(1)
    planner.believe(1)
    planner.believe(2)
    assert planner.answers[2:] == [(2, (1,))]


def test_what_the_guard_does_by_itself_ends_no_turn(planner):
    planner.believe(10)
    planner.executed(9)
    planner.believe(11)
    assert planner.answers == [(10, ())]
    planner.executed(10)
    assert planner.answers[1:] == [(11, (9, 10))]


def test_a_lost_report_is_not_waited_for_without_end(planner):
    planner.believe(1)
    planner.believe(2, now_s=5.0)
    planner.go_on(6.9)
    assert len(planner.answers) == 1
    planner.go_on(7.0)
    assert planner.answers[1:] == [(2, ())]


def test_nobody_is_waited_for_where_nobody_tells(planner):
    planner.believe(1)
    planner.turns.measured(2)
    planner.turns.came(2, 2, 0.0)
    planner.go_on(0.0, heard=False)
    assert planner.answers[1:] == [(2, ())]


def test_the_arm_must_have_been_measured_at_the_time_of_the_belief(planner):
    planner.turns.measured(4)
    planner.turns.came(5, 5, 0.0)
    planner.go_on(0.0)
    assert planner.answers == []
    planner.turns.measured(5)
    planner.go_on(0.0)
    assert planner.answers == [(5, ())]


def test_out_of_lockstep_every_belief_is_answered_at_once():
    turns: Turns[str] = Turns(patience_s=0.0)
    turns.sent(1)
    turns.came("belief", 2, 10.0)
    assert turns.take(10.0, lambda: True) == "belief"


def test_a_belief_is_answered_again_when_nothing_went_to_the_arm(planner):
    """The guard refused its command before it heard where the arm is: time stands still until another one comes."""
    planner.believe(1)
    planner.turns.reported(1, sent=False)
    planner.believe(1, 0.1)  # as after a reset, which another frame follows
    assert planner.answers == [(1, ())]
    planner.believe(1, 1.0)
    assert planner.answers == [(1, ()), (1, ())]
    planner.executed(1)
    planner.believe(1, 2.0)
    assert len(planner.answers) == 2
