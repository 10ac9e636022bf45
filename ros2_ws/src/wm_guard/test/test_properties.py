"""Whatever comes in, what goes out is within the limits, judged by an independent model of the arm's controller."""

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from wm_core.robot import load_robot
from wm_guard.guard import Guard, Kind
from wm_guard.limits import Limits, Request
from wm_guard.motions import Sent

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
    """A JointTrajectoryController that tracks perfectly: splines through positions, velocities and accelerations."""

    def __init__(self, joints: np.ndarray) -> None:
        still = np.zeros((1, len(joints)))
        self.times, self.points = np.array([0]), (joints[None], still, still)

    def state(self, now_ns: int) -> list[np.ndarray]:
        """Position, velocity, acceleration (n,)."""
        i = int(np.searchsorted(self.times, now_ns, side="right"))
        if i == 0 or i == len(self.times):
            last = 0 if i == 0 else -1
            return [self.points[0][last], 0 * self.points[0][last], 0 * self.points[0][last]]
        (p0, p1), (v0, v1), (a0, a1) = (rows[i - 1 : i + 1] for rows in self.points)
        d = (self.times[i] - self.times[i - 1]) / 1e9
        s = (now_ns - self.times[i - 1]) / 1e9
        rest = p1 - p0 - d * (v0 + d * a0 / 2), (v1 - v0 - d * a0) * d, (a1 - a0) * d * d
        c3, c4, c5 = np.linalg.solve([[1, 1, 1], [3, 4, 5], [6, 12, 20]], np.array(rest)) / d ** np.array(
            [[3], [4], [5]]
        )
        return [
            p0 + s * (v0 + s * (a0 / 2 + s * (c3 + s * (c4 + s * c5)))),
            v0 + s * (a0 + s * (3 * c3 + s * (4 * c4 + s * 5 * c5))),
            a0 + s * (6 * c3 + s * (12 * c4 + s * 20 * c5)),
        ]

    def at(self, now_ns: int) -> np.ndarray:
        return self.state(now_ns)[0]

    def accept(self, sent: Sent, now_ns: int) -> None:
        ends = (sent.start_ns or now_ns) + sent.times_ns
        assert (ends >= now_ns).all() and (sent.times_ns >= 0).all() and not sent.velocities[-1].any()
        coming = ends > now_ns  # the first may be where the arm is
        rows = (each[coming] for each in (sent.positions, sent.velocities, sent.accelerations))
        self.points = tuple(np.vstack([here, row]) for here, row in zip(self.state(now_ns), rows, strict=True))
        self.times = np.concatenate([[now_ns], ends[coming]])


def assert_within_limits(arm: Arm, kinematics) -> None:
    assert (np.diff(arm.times) > 0).all()
    fine = np.linspace(arm.times[0], arm.times[-1], 80).astype(np.int64)
    joints, velocities, accelerations = (np.array(rows) for rows in zip(*map(arm.state, fine.tolist()), strict=True))
    assert (np.abs(velocities) <= kinematics.velocity * 1.01 + 1e-6).all()
    assert (np.abs(accelerations) <= kinematics.acceleration * 1.05 + 1e-3).all()
    assert (joints >= kinematics.lower + LIMITS.position_margin - 1e-6).all()
    assert (joints <= kinematics.upper - LIMITS.position_margin + 1e-6).all()
    tool = [kinematics.tool_motion(q, v) for q, v in zip(joints, velocities, strict=True)]
    places = np.array([place for place, _ in tool])
    assert (places >= np.array(LIMITS.workspace_min) - 2e-3).all()
    assert (places <= np.array(LIMITS.workspace_max) + 2e-3).all()
    assert max(np.linalg.norm(velocity) for _, velocity in tool) <= LIMITS.tool_speed * 1.02


@settings(max_examples=150, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
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
            if stop.sent is not None:
                arm.accept(stop.sent, now)
        verdict = guard.check(Request(names, start_ns, times, points), now + c["stamp_ms"] * MS, now, c["status"])
        if verdict.sent is not None:
            arm.accept(verdict.sent, max(now, now + c["stamp_ms"] * MS) if 0 < c["stamp_ms"] <= 200 else now)
            assert_within_limits(arm, kinematics)
            np.testing.assert_allclose(verdict.tool_end.position, kinematics.fk(arm.points[0][-1])[0], atol=1e-9)
        now += c["wait_ms"] * MS
        held = guard.watchdog(now)
        if held is not None:
            arm.accept(held.sent, now)
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
    np.testing.assert_array_equal(verdicts[0].sent.positions, verdicts[1].sent.positions)
