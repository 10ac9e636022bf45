"""Where a cycle's time goes. Stamps in ns, durations in ms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_tasks.cycle import COMPUTED, KEPT, SENT, STAGES, Cycles, shown

MS = 1_000_000
STAMP = 5_000 * MS


def cycle(cycles: Cycles, stamp_ns: int = STAMP) -> None:
    """A frame sent after 10 ms; 5 ms of waiting and 4 of computing before each of the next three messages; 2 ms of the guard."""
    for name, after_ms in zip(SENT, (10, 19, 28, 37, 39), strict=True):
        cycles.sent(name, stamp_ns, stamp_ns + after_ms * MS)
    for name in COMPUTED:
        cycles.computed(name, stamp_ns, 4.0)


def test_computing_and_waiting_are_separate():
    cycles = Cycles()
    cycle(cycles)
    found = dict(zip(STAGES, cycles.stages[0], strict=True))
    assert found.pop("camera") == 10.0 and found.pop("to guard") == 2.0
    assert {name: found.pop(name) for name in COMPUTED} == dict.fromkeys(COMPUTED, 4.0)
    assert set(found.values()) == {5.0}


def test_a_cycle_of_which_a_message_was_not_heard_is_left_out():
    cycles = Cycles()
    for index in range(3 * KEPT):
        cycles.sent("frame", index, index)
        cycles.sent("command", index, index)
    assert not cycles.stages and len(cycles._open) <= KEPT


def test_in_simulated_time_the_camera_takes_none():
    cycles = Cycles()
    for name in SENT:
        cycles.sent(name, 1, 1_700_000_000_000 * MS)
    for name in COMPUTED:
        cycles.computed(name, 1, 0.0)
    assert cycles.stages[-1] == (0.0,) * len(STAGES)


@given(st.lists(st.lists(st.floats(0, 1e3), min_size=len(STAGES), max_size=len(STAGES)), min_size=1, max_size=200))
def test_the_slowest_cycles_are_no_faster_than_typical_ones(stages):
    means = shown(stages)
    typical, slowest = (sum(each[kind] for each in means.values()) for kind in ("typical", "slowest"))
    assert slowest >= typical - 0.01 * len(STAGES)


def test_nothing_was_measured():
    assert shown([]) == {}


def test_a_repeated_message_changes_nothing():
    cycles = Cycles()
    cycles.sent("frame", STAMP, STAMP + 10 * MS)
    cycles.sent("frame", STAMP, STAMP + 50 * MS)
    cycle(cycles)
    assert cycles.stages[0][0] == pytest.approx(10.0)
