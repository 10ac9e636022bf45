"""Where planning goes on from. Beliefs and joint states come every 100 ms, as in lockstep."""

import contextlib

import numpy as np
import pytest

from wm_core.joint_states import JointStateError
from wm_core.kinematics import Kinematics
from wm_core.robot import load_robot
from wm_guard.guard import Guard, Kind
from wm_guard.limits import Limits, Request
from wm_planner.followed_arm import FollowedArm
from wm_planner.tool_path import ToolPath

TOOL_DOWN = load_robot().tool.rotation
TOOL_HEIGHT = load_robot().tool.height

MS = 1_000_000
STEP = 100 * MS
ARM = Kinematics(load_robot())
NAMES = ARM.joint_names


def joints(x, y=0.0):
    return ARM.ik(np.array([x, y, TOOL_HEIGHT]), TOOL_DOWN, np.array([0.0, 0.3, 0.0, -2.6, 0.0, 2.9, 0.785]))


def sent(arm, now, place, hold=False):
    """The guard tells that the arm goes to a place within a step."""
    arm.sent(NAMES, now, [now + STEP], [place], hold)
    if hold:
        arm.held(now)


@pytest.fixture
def arm():
    """In lockstep, measured and commanded at x = 0.4 m at time 100 ms."""
    arm = FollowedArm(ARM, lockstep=True)
    arm.measured(NAMES, joints(0.4), STEP)
    sent(arm, STEP, joints(0.4))
    arm.measured(NAMES, joints(0.4), 2 * STEP)
    return arm


@pytest.fixture
def path():
    return ToolPath(ARM, 0.1)


def test_planning_begins_where_the_arm_was_measured_and_goes_on_where_it_was_sent(arm, path):
    assert arm.anchor(path, 2 * STEP, pursuing=True)
    assert path.position == pytest.approx([0.4, 0.0], abs=1e-4)
    assert not arm.anchor(path, 3 * STEP, pursuing=True)


def test_after_a_reset_planning_begins_at_home_with_the_belief_after_the_hold(arm, path):
    """The joint state at home comes before anybody has heard why; the hold there explains it."""
    arm.anchor(path, 2 * STEP, pursuing=False)
    home = joints(0.6, 0.2)
    with pytest.raises(JointStateError):
        arm.measured(NAMES, home, 3 * STEP)
    assert not arm.anchor(path, 3 * STEP, pursuing=False)
    sent(arm, 3 * STEP, home, hold=True)
    arm.measured(NAMES, home, 4 * STEP)
    assert arm.anchor(path, 4 * STEP, pursuing=False)
    assert path.position == pytest.approx([0.6, 0.2], abs=1e-4)


@pytest.mark.parametrize("hold", [False, True])
def test_a_lie_is_not_where_planning_begins(arm, path, hold):
    arm.anchor(path, 2 * STEP, pursuing=True)
    sent(arm, 2 * STEP, joints(0.42), hold)
    arm.measured(NAMES, joints(0.42), 3 * STEP)
    for late in (1, 2, 3):
        with pytest.raises(JointStateError):
            arm.measured(NAMES, np.zeros(7), 3 * STEP + late)
    assert arm.anchor(path, 3 * STEP + 4, pursuing=False) == hold
    assert path.position == pytest.approx([0.42 if hold else 0.4, 0.0], abs=1e-4)


def test_an_arm_that_somebody_moved_is_followed_once_it_rests_there(arm, path):
    arm.anchor(path, 2 * STEP, pursuing=False)
    refused = 0
    for i in range(3, 11):
        try:
            arm.measured(NAMES, joints(0.5), i * STEP)
        except JointStateError:
            refused += 1
        arm.anchor(path, i * STEP, pursuing=False)
    assert refused == 5 and path.position == pytest.approx([0.5, 0.0], abs=1e-4)


def test_without_lockstep_the_first_state_alone_is_not_believed():
    arm = FollowedArm(ARM, lockstep=False)
    with pytest.raises(JointStateError, match="agree"):
        arm.measured(NAMES, joints(0.4), STEP)
    assert not arm.known(STEP)


def test_planning_does_not_go_on_while_nobody_knows_where_the_arm_is(path):
    """The guard sends nothing then, and tells of nothing: a path that went on would be far ahead of the arm afterwards."""
    arm, now = FollowedArm(ARM, lockstep=False), 0
    for _ in range(40):
        now += 20 * MS
        with contextlib.suppress(JointStateError):
            arm.measured(NAMES, joints(0.4), now)
    assert arm.known(now) and arm.anchor(path, now, pursuing=True)
    path.move(np.array([0.03, 0.0]))
    with pytest.raises(JointStateError):
        arm.measured(NAMES, np.zeros(7), now + 1)
    assert not arm.known(now + 1)
    for _ in range(40):
        now += 20 * MS
        with contextlib.suppress(JointStateError):
            arm.measured(NAMES, joints(0.4), now)
    assert arm.known(now) and arm.anchor(path, now, pursuing=True)
    assert path.position == pytest.approx([0.4, 0.0], abs=1e-4)


class InactiveArm:
    """An arm whose controller is activated at `active_ns`, behind a guard and a planner that moves the tool 2 cm a step."""

    def __init__(self, active_ns: int) -> None:
        self.q, self.active_ns, self.asked = joints(0.4), active_ns, 0.0  # share of the velocity limits
        self.guard = Guard(ARM, Limits.of(load_robot()))
        self.guard.place(self.q, STEP, STEP)
        self.arm, self.path = FollowedArm(ARM, lockstep=True), ToolPath(ARM, 0.1)
        self.reasons: list[str] = []

    def step(self, now: int) -> None:
        self.guard.observe(NAMES, self.q.tolist(), now, now)
        with contextlib.suppress(JointStateError):
            self.arm.measured(NAMES, self.q.tolist(), now)
        self.arm.anchor(self.path, now, pursuing=True)
        motion = self.path.move(np.array([0.02 if self.path.position[0] < 0.6 else 0.0, 0.0]))
        times = np.round(motion.times * 1e9).astype(int).tolist()
        verdict = self.guard.check(Request(NAMES, now, times, motion.joints.tolist()), now, now)
        self.reasons.append(verdict.reason)
        if verdict.motion is None:  # a hold of an arm that is elsewhere than its controller was left: nothing is sent
            self.arm.held(now)
            return
        ends = ((verdict.motion.start_ns or now) + verdict.motion.times_ns).tolist()
        self.arm.sent(NAMES, now, ends, verdict.motion.positions, hold := verdict.kind is Kind.REFUSED)
        if hold:
            self.arm.held(now)
        if now >= self.active_ns:
            seconds = verdict.motion.times_ns[0] / 1e9
            leap = np.abs(verdict.motion.positions[0] - self.q) - Limits.follow_tolerance
            self.asked = max(self.asked, float((leap / seconds / ARM.velocity).max()))
            self.q = verdict.motion.positions[-1]


@pytest.mark.parametrize("active", range(2, 30, 3))
def test_a_controller_that_is_activated_later_is_not_asked_for_all_of_it_at_once(active):
    """Commands ran ahead of the arm by up to 0.35 rad, again and again, and the arm was asked for that within a step."""
    robot = InactiveArm(active * STEP)
    for i in range(1, 60):
        robot.step(i * STEP)
    assert robot.asked <= 1.0 + 1e-6  # of the velocity limits
    assert "not_following" in robot.reasons or active < 5
    assert robot.path.position[0] > 0.59 and np.abs(robot.q - robot.path.joints).max() < 1e-6  # it got there in the end
