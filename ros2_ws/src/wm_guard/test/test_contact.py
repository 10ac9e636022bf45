"""Contact that the arm did not look for, by efforts."""

import numpy as np
import pytest

from wm_guard.contact import Contact

MS = 1_000_000
LIMITS = np.array([80.0, 80.0, 12.0])
NAMES = ("shoulder", "elbow", "wrist")


@pytest.fixture
def contact() -> Contact:
    return Contact(LIMITS, NAMES)


def feed(contact: Contact, efforts, count: int, begin_ms: int = 0) -> list[str]:
    return [contact.observe(np.array(efforts, float), (begin_ms + 2 * i) * MS) for i in range(count)]


def test_carrying_its_own_weight_is_no_contact(contact):
    assert not any(feed(contact, [20.0, -35.0, 2.0], 1000))


def test_a_blow_is_found_within_three_joint_states(contact):
    feed(contact, [5.0, -20.0, 1.0], 500)
    found = feed(contact, [5.0, -20.0, 8.0], 5, begin_ms=1000)
    assert [bool(text) for text in found] == [False, False, True, True, True]
    assert found[2].startswith("wrist pushes with 8.0 N m")


def test_one_wild_value_is_no_contact(contact):
    feed(contact, [5.0, -20.0, 1.0], 500)
    assert not any(
        feed(contact, [5.0, 79.0, 1.0], 2, begin_ms=1000) + feed(contact, [5.0, -20.0, 1.0], 100, begin_ms=1004)
    )


def test_an_effort_that_rises_slowly_up_to_its_limit_is_found(contact):
    found = [contact.observe(np.array([80.0 * i / 2000, 0.0, 0.0]), 10 * i * MS) for i in range(2000)]
    assert not any(found[:1700]) and any(found)


@pytest.mark.parametrize("efforts", [[], [1.0, 2.0], [np.nan, 0.0, 0.0], [np.inf, 0.0, 0.0]])
def test_efforts_that_are_not_published_say_nothing(contact, efforts):
    assert not any(feed(contact, efforts, 10))


def test_what_was_measured_before_the_arm_was_placed_says_nothing(contact):
    feed(contact, [60.0, 0.0, 0.0], 100)
    contact.forget()
    assert not any(feed(contact, [0.0, 0.0, 0.0], 10, begin_ms=1000))


def test_who_was_excused_may_let_go_but_not_push_harder(contact):
    pressing, harder, free = [5.0, -20.0, 11.0], [5.0, -20.0, 11.6], [5.0, -20.0, 1.0]
    assert any(feed(contact, pressing, 10))
    contact.excuse()
    assert not any(feed(contact, pressing, 500, begin_ms=100))
    assert any(feed(contact, harder, 5, begin_ms=1100))
    contact.excuse()
    assert not any(feed(contact, free, 500, begin_ms=1200))
    assert any(feed(contact, pressing, 5, begin_ms=2200))


def test_who_was_excused_at_the_limit_has_a_second_to_let_go(contact):
    """An effort that saturates cannot rise."""
    pressing = [5.0, -20.0, 12.0]
    assert any(feed(contact, pressing, 10))
    contact.excuse()
    found = feed(contact, pressing, 800, begin_ms=100)
    assert not any(found[:400]) and any(found)


def test_the_other_joints_are_watched_while_one_is_excused(contact):
    assert any(feed(contact, [5.0, -20.0, 11.0], 10))
    contact.excuse()
    assert not any(feed(contact, [5.0, -20.0, 11.0], 500, begin_ms=100))
    assert any(feed(contact, [50.0, -20.0, 11.0], 5, begin_ms=1100))
