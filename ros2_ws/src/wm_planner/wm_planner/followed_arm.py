"""Where the arm is, as far as joint states are believed, and when planning must begin anew from there."""

from collections.abc import Sequence

import numpy as np

from wm_core.joint_states import CONFIRM, LAG, TOLERANCE, JointStateError, JointStates
from wm_core.kinematics import Kinematics
from wm_planner.measured import MeasuredArm
from wm_planner.tool_path import ToolPath

AT_REST = 0.01  # [rad] between two joint states
REANCHOR_DISTANCE = 0.03  # [m] between commanded and measured tool above which planning starts from the measured one


class FollowedArm:
    """Joint states that follow from what the guard sent; stamps and times in integer ns."""

    def __init__(
        self,
        kinematics: Kinematics,
        lockstep: bool,
        *,
        tolerance: float = TOLERANCE,
        lag: float = LAG,
        confirm: float = CONFIRM,
    ) -> None:
        """`lockstep`: time waits for the first answer, so the first joint state is believed; the guard knows better then.
        `tolerance` [rad], `lag` [s], `confirm` [s]: see JointStates.
        """
        self._kinematics = kinematics
        self._lockstep = lockstep
        first = 0.0 if lockstep else confirm
        self._states = JointStates(kinematics, tolerance=tolerance, lag=lag, confirm=confirm, first=first)
        self._measured = MeasuredArm()
        self._lost = False  # where the arm is, since the last anchor
        self._held_ns: int | None = None  # stamp of a hold by the guard that no belief was answered after

    def measured(
        self, names: Sequence[str], positions: Sequence[float], stamp_ns: int, velocities: Sequence[float] = ()
    ) -> None:
        """A joint state; raises JointStateError for one that is not believed."""
        try:
            q = self._states.take(names, positions, stamp_ns, velocities)
        except JointStateError:
            if self._measured and not (self._states.known or self._lockstep):
                # Nobody knows any more where the arm is, the guard neither: what was planned since did not move it.
                self._measured, self._lost = MeasuredArm(), True
            raise
        self._measured.add(stamp_ns, q)

    def sent(
        self,
        names: Sequence[str],
        begin_ns: int,
        times_ns: Sequence[int],
        points: Sequence[Sequence[float]],
        hold: bool = False,
    ) -> None:
        """The guard sent the arm from where it is commanded at `begin_ns` to `points` [rad] at `times_ns`; a `hold` begins where it
        stays, whatever was commanded before.

        Raises KinematicsError for other joints than the arm's.
        """
        rows = [(at, self._kinematics.arm_joints(names, point)) for at, point in zip(times_ns, points, strict=True)]
        if not (rows := [row for row in rows if row[0] > begin_ns]):
            return
        path, before = self._states.path, self._states.stamp_ns
        start = path.at(begin_ns) if path and not hold else rows[0][1]
        self._states.command(begin_ns, np.array([at for at, _ in rows]), np.array([start, *(q for _, q in rows)]))
        stamp_ns, position = self._states.stamp_ns, self._states.position
        if stamp_ns is not None and stamp_ns != before and position is not None:
            self._measured.add(stamp_ns, position)

    def held(self, stamp_ns: int) -> None:
        """The guard replaced a command by a hold."""
        self._held_ns = stamp_ns

    def known(self, stamp_ns: int) -> bool:
        """Whether it is known where the arm was at a time."""
        return bool(self._measured.until(stamp_ns))

    def anchor(self, path: ToolPath, stamp_ns: int, pursuing: bool) -> bool:
        """Begin `path` where the arm was measured when it is not known where it was sent: at first, after a hold by the guard, and
        where somebody else moved it while there is no goal. Returns whether that was done.

        At a belief and by stamps, so that the same messages give the same commands whatever arrives first.
        """
        joints = self._measured.until(stamp_ns)
        before, q = joints[0], joints[-1]
        # In lockstep the guard may hold by itself while the belief of that instant is answered: this counts from the next one on.
        held = self._held_ns is not None and (self._held_ns < stamp_ns or not self._lockstep)
        if path.anchored and not (held or self._lost):
            # Only once it rests: holding where it was while it moved would drag it back and forth.
            at_rest = len(joints) == 2 and np.abs(q - before).max() <= AT_REST
            if pursuing or not at_rest:
                return False
            if float(np.linalg.norm(self._kinematics.tool(q).xy - path.tool.xy)) <= REANCHOR_DISTANCE:
                return False
        path.anchor(q)
        self._lost = False
        if held:
            self._held_ns = None
        return True
