"""Whatever comes in, what goes out is within the limits, judged by an independent model of the arm's controller."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_core.robot import load_robot
from wm_guard.guard import Guard, Kind
from wm_guard.limits import Limits, Motion, Request

MS = 1_000_000
LIMITS = Limits.of(load_robot())
angle = st.one_of(
    st.floats(-0.02, 0.02), st.floats(-0.3, 0.3), st.floats(-4, 4), st.sampled_from([np.nan, np.inf, -np.inf, 1e300])
)
change = st.one_of(
    st.lists(st.floats(-0.02, 0.02), min_size=7, max_size=7),
    st.lists(st.floats(-0.1, 0.1), min_size=7, max_size=7),
    st.lists(angle, min_size=0, max_size=9),
)
command = st.fixed_dictionaries(
    {
        "changes": st.lists(change, min_size=0, max_size=4),
        "order": st.permutations(range(7)),
        "times_ms": st.lists(st.integers(-10, 400), min_size=0, max_size=4),
        "sorted": st.booleans(),
        "unknown": st.one_of(st.none(), st.none(), st.none(), st.text(max_size=3)),
        "stamp_ms": st.sampled_from([0, 0, 0, 50, -100, -300, 10_000]),
        "start_ms": st.sampled_from([None, None, 0, 40, -40, -500, 5_000]),
        "status": st.sampled_from([0, 1, 1, 2, 3, 255]),
        "state": st.sampled_from(["good", "good", "good", "none", "nan", "short"]),
        "wait_ms": st.integers(0, 300),
        "e_stop": st.sampled_from([False] * 9 + [True]),
    }
)


class Arm:
    """A JointTrajectoryController that tracks perfectly: from where it is to each point at its time."""

    def __init__(self, joints: np.ndarray) -> None:
        self.times, self.path = np.array([0.0]), joints[None]

    def at(self, now_ns: int) -> np.ndarray:
        return np.array([np.interp(now_ns, self.times, column) for column in self.path.T])

    def accept(self, motion: Motion, now_ns: int) -> None:
        ends = (motion.start_ns or now_ns) + motion.times_ns
        assert (ends > now_ns).all() and (motion.times_ns >= 0).all()
        self.times, self.path = (
            np.concatenate([[now_ns], ends]).astype(float),
            np.vstack([self.at(now_ns), motion.positions]),
        )


def assert_within_limits(arm: Arm, kinematics) -> None:
    seconds = np.diff(arm.times) / 1e9
    assert (np.diff(arm.times) > 0).all()
    assert (np.abs(np.diff(arm.path, axis=0)) <= kinematics.velocity * seconds[:, None] * (1 + 1e-6) + 1e-9).all()
    fine = np.linspace(arm.times[0], arm.times[-1], 40)
    joints = np.array([arm.at(t) for t in fine])
    assert (joints >= kinematics.lower + LIMITS.position_margin - 1e-9).all()
    assert (joints <= kinematics.upper - LIMITS.position_margin + 1e-9).all()
    tool = np.array([kinematics.fk(q)[0] for q in joints])
    assert (tool >= np.array(LIMITS.workspace_min) - 1e-3).all() and (
        tool <= np.array(LIMITS.workspace_max) + 1e-3
    ).all()
    speed = np.linalg.norm(np.diff(tool, axis=0), axis=1) / np.diff(fine) * 1e9
    assert speed.max() <= LIMITS.tool_speed * 1.02


@settings(max_examples=150, deadline=None)
@given(st.lists(command, min_size=1, max_size=6))
def test_what_goes_out_is_within_limits(kinematics, start, commands):
    guard, arm, now = Guard(kinematics, LIMITS), Arm(start), 10_000 * MS
    guard.place(start, now, now)
    for c in commands:
        state = arm.at(now)
        if c["state"] != "none":
            state = {"good": state, "nan": state * np.nan, "short": state[:3]}[c["state"]]
            guard.observe(kinematics.joint_names, state, now, now)
        names = [kinematics.joint_names[i] for i in c["order"]]
        if c["unknown"] is not None:
            names[0] = c["unknown"]
        base = arm.at(now)[c["order"]]
        points = [base + delta if len(delta) == 7 else delta for delta in (np.array(delta) for delta in c["changes"])]
        times = [t * MS for t in (sorted(c["times_ms"]) if c["sorted"] else c["times_ms"])]
        start_ns = 0 if c["start_ms"] is None else now + c["start_ms"] * MS
        if c["e_stop"]:
            stop = guard.e_stop(now)
            if stop.motion is not None:
                arm.accept(stop.motion, now)
        verdict = guard.check(Request(names, start_ns, times, points), now + c["stamp_ms"] * MS, now, c["status"])
        if verdict.motion is not None:
            arm.accept(verdict.motion, max(now, now + c["stamp_ms"] * MS) if 0 < c["stamp_ms"] <= 200 else now)
            assert_within_limits(arm, kinematics)
            np.testing.assert_allclose(verdict.tool_end.position, kinematics.fk(arm.path[-1])[0], atol=1e-9)
        now += c["wait_ms"] * MS
        held = guard.watchdog(now)
        if held is not None:
            arm.accept(held.motion, now)
            assert_within_limits(arm, kinematics)
        assert guard.watchdog(now) is None


@settings(max_examples=100, deadline=None)
@given(order=st.permutations(range(7)), deltas=st.lists(st.floats(-0.03, 0.03), min_size=7, max_size=7))
def test_the_order_of_the_joints_does_not_matter(kinematics, start, order, deltas):
    verdicts = []
    for o in (list(range(7)), list(order)):
        guard = Guard(kinematics, LIMITS)
        guard.place(start, 0, 0)
        guard.observe(kinematics.joint_names, start, 0, 0)
        target = start + deltas
        verdicts.append(guard.check(Request([kinematics.joint_names[i] for i in o], 0, [100 * MS], [target[o]]), 0, 0))
    assert verdicts[0].kind is verdicts[1].kind is not Kind.REFUSED
    np.testing.assert_array_equal(verdicts[0].motion.positions, verdicts[1].motion.positions)
    np.testing.assert_array_equal(verdicts[0].motion.times_ns, verdicts[1].motion.times_ns)
