"""When a change of bundles is safe, and what it has cost."""

import math
from dataclasses import replace

import pytest

from wm_bringup.swap import Scene, Swap, Used, missed
from wm_core.bundle import Bundle
from wm_core.paths import bundles_dir

STEP_NS = 100_000_000
PUSHING = Scene(apart=0.04, in_sight=True, believed_at=10.0)


@pytest.mark.parametrize(
    ("change", "safe"),
    [
        ({}, False),  # the tool is at the object
        ({"apart": 0.1}, True),
        ({"apart": 0.1, "in_sight": False}, False),  # who knows where it is
        ({"idle": True}, True),
        ({"idle": True, "stopped": True}, False),
        ({"idle": True, "believed_at": 8.0}, False),  # nothing was heard for 2 s
        ({"idle": True, "believed_at": -math.inf}, False),
    ],
)
def test_a_safe_moment(change, safe):
    assert replace(PUSHING, **change).safe(now=10.05) == safe


def test_what_is_known_of_a_bundle():
    folder = bundles_dir() / "default"
    used = Used.read(str(folder))
    assert used.id == Bundle.load(folder).id and used.step_ns == STEP_NS
    assert 0.001 < used.metric < 0.01


def test_what_a_change_has_cost():
    swap = Swap(Used("new", ""), "promoted")
    assert swap.answered == 0 and "0 control cycles missed" in swap.cost()
    swap.commands = [(i * STEP_NS, 0.1 * i) for i in (1, 2, 3, 5, 6)]
    swap.first_ns = 3 * STEP_NS
    assert swap.answered == 3
    assert swap.cost() == "1 control cycles missed, longest gap between commands 200 ms"


def test_missed_cycles():
    assert missed([0, 1, 2, 3], 1) == 0
    assert missed([0, 100, 310, 400], 100) == 1  # jitter is none, one period was left out
    assert missed([0, 100, 9_000_000_000, 9_000_000_100], 100) == 0  # a new scene
    assert missed([], 100) == 0
