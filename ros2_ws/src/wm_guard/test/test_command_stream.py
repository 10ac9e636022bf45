"""Who commands the arm, and how often."""

from hypothesis import given
from hypothesis import strategies as st

from wm_guard.command_stream import CommandStream

MS = 1_000_000


def test_the_one_who_came_first_commands_and_another_does_not():
    stream = CommandStream(50)
    others = []
    for i in range(10):
        assert not stream.is_other(100 + i, False, i * 100 * MS)
        others.append(stream.is_other(1 + i, False, i * 100 * MS + 1))
    assert all(others) and stream.others == 10


def test_after_a_silence_another_may_take_over():
    """A planner that was restarted; what is known of the dead one lasts for a while."""
    stream = CommandStream(50)
    assert not stream.is_other(7, True, 0)
    assert stream.is_other(1, False, 400 * MS)
    assert not stream.is_other(2, False, 600 * MS)
    assert not stream.is_other(3, False, 700 * MS)
    assert stream.is_other(8, False, 700 * MS)


def test_lost_messages_of_the_only_publisher_are_no_other_publisher():
    stream = CommandStream(50)
    assert not stream.is_other(1, True, 0)
    assert not stream.is_other(5, True, 100 * MS)


def test_without_numbers_two_publishers_are_refused_both():
    stream = CommandStream(50)
    assert not stream.is_other(None, True, 0) and stream.is_other(None, False, 0)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=200))
def test_never_more_than_so_many_in_a_second(gaps_ms):
    stream, now, admitted = CommandStream(10), 0, []
    for gap in gaps_ms:
        now += gap * MS
        if not stream.is_flood(now):
            admitted.append(now)
    assert all(b - a >= 1000 * MS for a, b in zip(admitted, admitted[10:], strict=False))
    assert len(admitted) + stream.dropped == len(gaps_ms)


def test_a_clock_that_jumps_back_drops_nothing():
    stream = CommandStream(2)
    assert [stream.is_flood(now) for now in (10_000 * MS, 10_001 * MS, 5 * MS, 6 * MS)] == [False] * 4
