"""How the table, objects and people around the arm change what reaches it."""

import numpy as np
import pytest

from wm_guard.guard import Guard
from wm_guard.limits import Limits
from wm_guard.people import People
from wm_guard.states import State
from wm_guard.surroundings import Surroundings
from wm_guard.verdicts import Kind

MS = 1_000_000
T0 = 10_000 * MS


@pytest.fixture
def surroundings(kinematics) -> Surroundings:
    return Surroundings(kinematics, Limits.of(kinematics.robot), People())


@pytest.fixture
def guard(kinematics, start, surroundings) -> Guard:
    """One that has believed for a second that the arm stands at `start`."""
    guard = Guard(kinematics, Limits.of(kinematics.robot), surroundings=surroundings)
    for t in range(T0 - 1000 * MS, T0 + 1, 20 * MS):
        guard.observe(kinematics.joint_names, start, t, t)
    return guard


def test_free_motion_is_not_slowed(guard, step):
    assert guard.check(step(dx=0.02), T0, T0).kind is Kind.PASS


def test_a_command_down_to_the_table_is_refused_by_name(guard, step):
    verdict = guard.check(step(dz=-0.0925, duration_ns=500 * MS), T0, T0)
    assert (verdict.kind, verdict.reason) == (Kind.REFUSED, "table")
    assert "panda_" in verdict.text and "mm of table" in verdict.text


def test_an_object_under_the_forearm_is_kept_away_from(guard, step, surroundings, kinematics, start):
    elbow = kinematics.link_pose("panda_link5", start)
    surroundings.believe(["cup"], [elbow], np.full((1, 3), 0.1), np.zeros((1, 3)))
    verdict = guard.check(step(dz=-0.02), T0, T0)
    assert (verdict.kind, verdict.reason) == (Kind.REFUSED, "collision")
    assert "cup" in verdict.text


@pytest.mark.parametrize("pose", [np.full((4, 4), np.nan), np.eye(4)])
def test_an_object_that_is_nowhere_in_particular_stops_nothing(guard, step, surroundings, pose):
    surroundings.believe(["ghost"], [pose], np.full((1, 3), np.nan), np.full((1, 3), 0.5))
    assert guard.check(step(dx=0.02), T0, T0).kind is Kind.PASS


def test_a_person_who_comes_nearer_slows_and_stops_the_arm(guard, step, surroundings):
    surroundings.people.observe(np.inf, T0)
    assert guard.check(step(dx=0.02), T0, T0).kind is Kind.PASS
    surroundings.people.observe(0.8, T0 + 10 * MS)
    slowed = guard.check(step(dx=0.02), T0 + 10 * MS, T0 + 10 * MS)
    assert (slowed.kind, slowed.reason) == (Kind.LIMITED, "person")
    assert guard.status.state is State.SLOWED and 0 < guard.status.speed_scale < 1
    surroundings.people.observe(0.3, T0 + 20 * MS)
    held = guard.watchdog(T0 + 20 * MS)
    assert held is not None and held.reason == "person", "without waiting for the next command"
    assert guard.check(step(dx=0.02), T0 + 20 * MS, T0 + 20 * MS).reason == "person"
    surroundings.people.observe(np.inf, T0 + 30 * MS)
    assert guard.check(step(dx=0.02), T0 + 30 * MS, T0 + 30 * MS).kind is Kind.PASS


def test_a_sensor_for_people_that_falls_silent_stops_the_arm(guard, step, surroundings, kinematics, start):
    surroundings.people.observe(np.inf, T0 - 600 * MS)
    verdict = guard.check(step(dx=0.02), T0, T0)
    assert verdict.reason == "person" and "last heard 0.60 s ago" in verdict.text
