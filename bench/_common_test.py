"""Intervals, tables, worker processes and the scripted baseline."""

import pytest
from _common import rate, run_all, table

from wm_tasks.baselines import RandomPolicy
from wm_tasks.closed_loop import ClosedLoop
from wm_tasks.experts import make_expert
from wm_tasks.report import wilson
from wm_tasks.settings import TASK


def test_wilson_interval_of_known_proportions():
    assert wilson(95, 100) == pytest.approx((0.8882, 0.9785), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)


def test_a_rate_is_printed_with_its_interval():
    assert rate([True] * 97 + [False] * 3) == "97/100 = 97 % [92, 99]"


def test_tables_are_markdown():
    assert table(("a", "long name"), [(1, "x")]) == "| a | long name |\n|---|-----------|\n| 1 | x         |"


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_calls(workers):
    assert list(run_all(divmod, [(7, 2), (9, 4), (5, 5)], workers)) == [(3, 1), (2, 1), (1, 0)]


def test_the_scripted_pusher_reaches_its_goal_and_random_motions_do_not():
    loop = ClosedLoop.load("tabletop_block")
    assert loop.episode(10_000, policy=make_expert(TASK)).success_2cm
    assert not loop.episode(10_000, policy=RandomPolicy(0)).success_3cm
