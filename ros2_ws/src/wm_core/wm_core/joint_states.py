"""Which joint states of an arm to believe.

Anybody may publish on the topic: a second driver with default values, an old program, a broken sensor. A state is believed when
it is near what the arm was commanded and within reach of the last one that was believed. What is neither may still be true (the arm
was moved by hand, its controller does not run), but is believed only after a run of such states that nothing contradicts, and where
it must be safe, only if the arm can have come to where the run begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wm_core.joint_path import JointPath
from wm_core.kinematics import Kinematics
from wm_core.robot import RobotProfile

NS = 1_000_000_000
IMPOSSIBLE = 0.2  # [rad] a joint measured this far outside its range is a broken sensor, not a joint
IMPOSSIBLE_SPEED = 10.0  # times a joint's velocity limit: the same of a velocity
TOLERANCE = 0.05  # [rad] between a measured joint and where it was commanded
LAG = 0.1  # [s] that an arm may be behind its commands
CONFIRM = 0.5  # [s] without contradiction until what is not expected is believed
FEWEST = 3  # states in that time
MALFORMED = (
    "size",
    "names",
    "duplicate",
    "not_finite",
    "impossible",
    "velocity",
)  # reasons that lie in one message alone


class JointStateError(ValueError):
    """A joint state that is not believed. `reason`: short code for counting; the text says the rest."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def of_gripper(robot: RobotProfile, names: Sequence[str]) -> bool:
    """Whether a joint state is of the robot's gripper alone, whose driver may publish on the arm's topic, at times of its own."""
    return bool(names) and robot.gripper is not None and set(names) <= set(robot.gripper.joints)


class Fingers:
    """How far a robot's fingers are apart, by what was heard of their joints, in whichever messages."""

    def __init__(self, robot: RobotProfile) -> None:
        self._gripper = robot.gripper
        self._heard: dict[str, float] = {}

    def heard(self, names: Sequence[str], positions: Sequence[float]) -> None:
        """Joint positions [rad, m]; those of other joints are left alone."""
        if self._gripper is not None:
            found = dict(zip(names, positions, strict=False))
            self._heard |= {name: found[name] for name in self._gripper.joints if name in found}

    @property
    def opening(self) -> float:
        """[m] measured; NaN without a gripper, or before all its joints were heard of."""
        if self._gripper is None or len(self._heard) < len(self._gripper.joints):
            return float("nan")
        return self._gripper.opening_at(float(np.mean(list(self._heard.values()))))


class Others:
    """Which joint states on the arm's topic are of other joints alone: a gripper that the profile does not know, another arm.

    Until one of the arm has come they may be the arm's under other names, which must be said: then only a gripper's are left alone.
    """

    def __init__(self, robot: RobotProfile) -> None:
        self._robot, self._joints, self._heard = robot, frozenset(robot.joints), False

    def alone(self, names: Sequence[str]) -> bool:
        """Whether a joint state of these names says nothing about the arm, and is to be left alone."""
        if of_gripper(self._robot, names):
            return True
        if not self._joints.isdisjoint(names):
            self._heard = self._heard or self._joints <= set(names)
            return False
        return bool(names) and self._heard


def read_joints(
    kinematics: Kinematics, names: Sequence[str], positions: Sequence[float], velocities: Sequence[float] = ()
) -> np.ndarray:
    """Arm joints (n,) [rad] of a joint state, in any order and beside other joints; raises JointStateError for its form.

    Velocities may be missing, or NaN where a driver does not measure them; they are only looked at for nonsense.
    """
    if len(names) != len(positions) or len(velocities) not in (0, len(names)):
        raise JointStateError(
            "size",
            f"expected one position and one velocity or none per name, got {len(positions)} and {len(velocities)} for {len(names)}",
        )
    found = {name: i for i, name in enumerate(names)}
    if missing := [name for name in kinematics.joint_names if name not in found]:
        raise JointStateError("names", f"expected the joints {missing}, got {list(names)[:16]}")
    if len(found) != len(names) and len([name for name in names if name in kinematics.joint_names]) != len(
        kinematics.joint_names
    ):
        raise JointStateError("duplicate", f"expected every joint once, got {list(names)[:16]}")
    order = [found[name] for name in kinematics.joint_names]
    q = np.array([positions[i] for i in order], float)
    if not np.isfinite(q).all():
        raise JointStateError("not_finite", "expected finite joint positions, got NaN or infinity")
    if (q < kinematics.lower - IMPOSSIBLE).any() or (q > kinematics.upper + IMPOSSIBLE).any():
        raise JointStateError("impossible", f"expected joint positions near the joints' ranges, got {q.round(2)}")
    if len(velocities):
        speed = np.abs(np.array([velocities[i] for i in order], float))
        if (speed > IMPOSSIBLE_SPEED * kinematics.velocity).any():  # not so for NaN
            raise JointStateError("velocity", f"expected velocities that joints can have, got {speed.round(1)} rad/s")
    return q


@dataclass
class _Run:
    """States that are not expected, each within reach of the one before, and nothing else in between."""

    begin_ns: int
    end_ns: int
    q: np.ndarray
    jump: bool  # no arm comes there in the time since the last state that was believed
    count: int = 1


class JointStates:
    """Keeps where an arm is, believing no single message. Times are integer nanoseconds of one clock."""

    def __init__(
        self,
        kinematics: Kinematics,
        *,
        tolerance: float = TOLERANCE,
        lag: float = LAG,
        confirm: float = CONFIRM,
        first: float | None = None,
        jumps: bool = True,
    ) -> None:
        """`tolerance` [rad] around where the arm was commanded within the last `lag` [s]; `confirm` [s]: how long a run must be
        until it is believed; `first` [s]: the same while nothing is known, 0 believes the first state (default: `confirm`);
        `jumps`: whether a run is believed too that begins where no arm can have come so soon; else see `forget`.
        """
        self._kinematics = kinematics
        self._tolerance = tolerance
        self._lag_ns = int(lag * NS)
        self._confirm = confirm
        self._first = confirm if first is None else first
        self._jumps = jumps
        self.path = JointPath()  # where the arm is commanded to be, as far as known
        self.forget()

    def forget(self) -> None:
        """Nothing is known any more, e.g. when time went back."""
        self.path.clear()
        self.position: np.ndarray | None = None  # (n,) [rad] last believed
        self.stamp_ns: int | None = None  # of its measurement
        self.left: np.ndarray | None = None  # (n,) [rad] where the arm was commanded when it turned out to be elsewhere
        self._run: _Run | None = None
        self._placed: tuple[np.ndarray, int] | None = None  # until a joint state agrees
        self._vouched = False  # what is believed does not rest on joint states alone

    @property
    def known(self) -> bool:
        return self.position is not None

    def place(self, q: np.ndarray, stamp_ns: int) -> None:
        """Somebody who moves the arm otherwise (the reset of a simulator) says where it is from `stamp_ns` on.

        What was commanded and measured before is void. It is believed with the first joint state that agrees.
        """
        run = self._run
        self.forget()
        self._placed = (np.array(q, float), stamp_ns)
        if run is not None and self._expected(run.q, run.end_ns):  # its joint state has overtaken it
            self._believe(run.q, run.end_ns)

    def command(self, begin_ns: int, times_ns: np.ndarray, points: np.ndarray) -> None:
        """The arm was sent a motion, see JointPath.replace: what was measured in the meantime may be explained by it."""
        if self.path and not self._near(points[0], self.path.at(begin_ns), self.path.at(begin_ns)):
            self.path.clear()  # it begins elsewhere
        self.path.replace(begin_ns, times_ns, points)
        self.left = None
        run = self._run
        if run is not None and (self._near(run.q, points[0], points[0]) or self._expected(run.q, run.end_ns)):
            self._believe(run.q, run.end_ns)

    def take(
        self, names: Sequence[str], positions: Sequence[float], stamp_ns: int, velocities: Sequence[float] = ()
    ) -> np.ndarray:
        """Joints (n,) [rad] of a joint state that is believed; raises JointStateError."""
        return self.judge(read_joints(self._kinematics, names, positions, velocities), stamp_ns)

    def judge(self, q: np.ndarray, stamp_ns: int) -> np.ndarray:
        """`q` (n,) [rad] as measured at `stamp_ns` when it is believed; raises JointStateError."""
        # One of an earlier time is doubted too; a run of them says that the clock was set back.
        if (self.stamp_ns is not None and stamp_ns <= self.stamp_ns) or not self._expected(q, stamp_ns):
            self._doubt(q, stamp_ns)
        self._believe(q, stamp_ns)
        return q

    @property
    def newest(self) -> np.ndarray | None:
        """Joints (n,) [rad] of the newest state, believed or not."""
        return self.position if self._run is None else self._run.q

    @property
    def doubted_ns(self) -> int:
        """For how long nothing came but states that are not believed, by their stamps."""
        return 0 if self._run is None else self._run.end_ns - self._run.begin_ns

    @property
    def jumped(self) -> bool:
        """Whether all newer states are of a place where no arm can have come, which will not be believed."""
        return self._run is not None and self._run.jump and not self._jumps

    def doubts(self) -> str:
        """What speaks against what is believed, if all newer states do; else empty."""
        return "" if self._run is None else self._difference(self._run.q, self._run.end_ns)

    # -- inside --------------------------------------------------------------------------------------------------

    def _near(self, q: np.ndarray, low: np.ndarray, high: np.ndarray) -> bool:
        return bool((q >= low - self._tolerance).all() and (q <= high + self._tolerance).all())

    def _reachable(
        self,
        q: np.ndarray,
        stamp_ns: int,
        before: np.ndarray,
        before_ns: int,
        margin: float,
        most_s: float | None = None,
    ) -> bool:
        """Whether joints `q` (n,) [rad] can be reached from those before, within `most_s` at most (default: `confirm`)."""
        elapsed = min(max(0, stamp_ns - before_ns) / NS, self._confirm if most_s is None else most_s)
        return bool((np.abs(q - before) <= self._kinematics.velocity * elapsed + margin).all())

    def _expected(self, q: np.ndarray, stamp_ns: int) -> bool:
        if self.position is not None and self.stamp_ns is not None:
            margin = 2 * self._tolerance  # the last one may have been off to one side, this one to the other
            if not self._reachable(q, stamp_ns, self.position, self.stamp_ns, margin):
                return False
        if self.path:
            return self._near(q, *self.path.box(stamp_ns - self._lag_ns, stamp_ns))
        if self.position is not None:
            return self._near(q, self.position, self.position)
        if self._placed is not None:
            place, since_ns = self._placed
            return 0 <= stamp_ns - since_ns <= CONFIRM * NS and self._near(q, place, place)
        return False

    def _difference(self, q: np.ndarray, stamp_ns: int) -> str:
        expected = self.path.at(stamp_ns) if self.path else self.position
        if expected is None:
            return ""
        joint = int(np.abs(q - expected).argmax())
        return (
            f"{self._kinematics.joint_names[joint]} is measured at {q[joint]:.3f} rad, expected within {self._tolerance} rad of"
            f" {expected[joint]:.3f}; is the arm's controller active, and are these its joint states?"
        )

    def _believe(self, q: np.ndarray, stamp_ns: int) -> None:
        self.position, self.stamp_ns = q, stamp_ns
        self._vouched = self._vouched or self._placed is not None
        self._run = self._placed = None

    def _is_jump(self, q: np.ndarray, stamp_ns: int) -> bool:
        """Whether no arm comes from where it was, or was placed, to joints `q` (n,) [rad]."""
        if self.position is not None and self.stamp_ns is not None:
            before, before_ns = self.position, self.stamp_ns
        elif self._placed is not None:
            before, before_ns = self._placed
        else:
            return False
        return not self._reachable(q, stamp_ns, before, before_ns, 2 * self._tolerance, np.inf)

    def _follows(self, run: _Run, q: np.ndarray, stamp_ns: int) -> bool:
        soon = 0 < stamp_ns - run.end_ns <= self._confirm * NS
        return soon and self._reachable(q, stamp_ns, run.q, run.end_ns, self._tolerance)

    def _doubt(self, q: np.ndarray, stamp_ns: int) -> None:
        """Returns when a run of unexpected states is long enough; raises JointStateError until then."""
        run, text = self._run, self._difference(q, stamp_ns)
        if stamp_ns in (self.stamp_ns, run.end_ns if run else None):
            raise JointStateError("repeated", "expected a joint state newer than the last one")
        earlier = self.stamp_ns is not None and stamp_ns < self.stamp_ns
        if self.known and not (self.path or self._vouched or earlier):
            # An arm that was never commanded cannot have shown by following that it is this one that tells the truth.
            self.position = self.stamp_ns = None
        if run is None or not self._follows(run, q, stamp_ns):
            self._run = run = _Run(stamp_ns, stamp_ns, q, self._is_jump(q, stamp_ns))
        else:
            run.q, run.end_ns, run.count = q, stamp_ns, run.count + 1
        needed = self._confirm if text else self._first
        if needed > 0 and (run.count < FEWEST or run.end_ns - run.begin_ns < needed * NS):
            if earlier:
                raise JointStateError("repeated", "expected a joint state newer than the last one")
            if text:
                raise JointStateError("implausible", text)
            raise JointStateError("unconfirmed", f"expected {needed} s of joint states that agree before the first")
        if self.jumped:
            where = text or "expected joint states of where the arm was placed, got others"
            raise JointStateError("jumped", f"{where}; no arm moves so fast")
        if self.path:
            self.left = self.path.at(stamp_ns)
        self.path.clear()
        self._vouched = False
