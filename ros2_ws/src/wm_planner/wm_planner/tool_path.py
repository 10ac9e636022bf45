"""From tool motion to joint motion: inverse kinematics within the arm's limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pinocchio

from wm_core.hand import OPENING
from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.scene import ToolState, tool_of
from wm_core.specs_schema import AXES

VELOCITY_SHARE = 0.9  # of the URDF's joint velocity limits
ACCELERATION_SHARE = 0.9  # of the limits: the guard changes velocities within about one step
TRIES = 6  # to change a motion until it is within the limits
RETURN_SPEED, RETURN_TURN = 0.05, 0.3  # [m/s, rad/s] back to the height and the orientation in which the tool is held
LEVEL, UPRIGHT = 0.01, 0.05  # [m, rad] from there, beyond which nothing is done but to return
UP, YAW, PITCH = (AXES.index(axis) for axis in ("z", "yaw", "pitch"))


@dataclass(frozen=True)
class ToolMotion:
    """A straight tool motion over one step, between two tool states (6,), and the joint positions that make it."""

    start: ToolState
    end: ToolState
    times: np.ndarray  # (k,) [s] from the start, ascending
    joints: np.ndarray  # (k, n) [rad]
    reason: str  # empty, or why the motion was shortened


class ToolPath:
    """Keeps the commanded joints and tool position, and extends them step by step.

    The tool moves along some axes and is held in the others: x and y where the arm was, z at the robot's height, yaw and pitch at 0. An
    arm that is elsewhere in these, as after a person moved it, comes back to them little by little. Each solution starts from the last
    one, so there are no jumps. The opening of a gripper is commanded where `grip` is among the axes; joints are the arm's alone.
    """

    POINTS = 2  # joint positions per step

    def __init__(
        self,
        kinematics: Kinematics,
        step_duration: float,
        *,
        axes: Sequence[str] = ("x", "y"),
        bounds: Mapping[str, tuple[float, float]] | None = None,
        rest: np.ndarray | None = None,
        velocity_share: float = VELOCITY_SHARE,
    ) -> None:
        """`bounds` [m, rad]: by axis; default: the robot's reach, pitch and opening. `rest` (n,) [rad]: where joints go that the tool's
        pose leaves free; None: they stay as they are. `velocity_share`: of the joints' limits that is used. Raises ValueError for
        axes that no tool has.
        """
        if not axes or set(axes) - set(AXES):
            raise ValueError(f"expected axes of a tool path out of {', '.join(AXES)}, got {list(axes)}")
        self._kinematics, self._velocity_share = kinematics, velocity_share
        self._step = step_duration
        robot = kinematics.robot
        self._tool, self._rest_joints = robot.tool, rest
        self._axes = [AXES.index(axis) for axis in axes]
        self._anchored = sorted({*self._axes, AXES.index("x"), AXES.index("y")})
        own = zip(robot.tool_bounds.lower, robot.tool_bounds.upper, strict=True)
        bounds = dict(zip(AXES, own, strict=True)) | dict(bounds or {})
        self._lower, self._upper = np.array([bounds[axis] for axis in axes]).T
        self._q: np.ndarray | None = None
        self._velocity = np.zeros(len(kinematics.velocity))  # [rad/s] at the end of the last step
        self._pose = np.array([0.0, 0.0, self._tool.height, 0.0, 0.0, np.nan])  # a tool state
        self._off = np.zeros(4)  # [m, rad] height and rotation vector from where the tool is held
        self._displacement = np.zeros(len(self._axes) + 4)  # of the last step, along the axes and of `_off`

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self._kinematics.joint_names

    @property
    def anchored(self) -> bool:
        """Whether the commanded joints are known."""
        return self._q is not None

    @property
    def position(self) -> np.ndarray:
        """Commanded tool position (n,) along the axes [m, rad]."""
        return self._pose[self._axes]

    @property
    def tool(self) -> ToolState:
        """Commanded tool state (6,); the opening is NaN where it is not among the axes."""
        x, y, z, yaw, pitch, opening = self._pose
        return ToolState.at(x, y, z + self._off[0], yaw + self._off[3], pitch, opening)

    @property
    def above(self) -> float:
        """[m] of the commanded tool over the height at which it is held."""
        return float(self._off[0])

    @property
    def aside(self) -> str:
        """How far the commanded tool is from the height and orientation in which it is held; empty: it is there."""
        turned = float(np.linalg.norm(self._off[1:]))
        if abs(self.above) <= LEVEL and turned <= UPRIGHT:
            return ""
        return f"{1000 * abs(self.above):.0f} mm {'above' if self.above > 0 else 'below'} and {turned:.2f} rad from where it is held"

    @property
    def joints(self) -> np.ndarray:
        """Commanded joints (n,) [rad]."""
        if self._q is None:
            raise KinematicsError("expected commanded joints, none yet; wait for joint_states")
        return self._q.copy()

    def anchor(self, q: np.ndarray, opening: float | None = None) -> None:
        """Start over from joints (n,) [rad], e.g. the measured ones at the start or after a hold; `opening` [m] of the gripper, None:
        as it was commanded, and open at first.
        """
        position, rotation = self._kinematics.fk(q)
        self._q = np.array(q, float)
        measured = tool_of(position, self._upright(rotation)).values
        measured[OPENING] = self._pose[OPENING] if opening is None else opening
        if OPENING in self._axes and not np.isfinite(measured[OPENING]):
            measured[OPENING] = self._upper[self._axes.index(OPENING)]
        self._pose[self._anchored] = measured[self._anchored]
        turn = pinocchio.log3(rotation @ self._tool.turned(self._pose[YAW], self._pose[PITCH]).T)
        self._off = np.array([position[UP] - self._pose[UP], *turn])
        self._rest()

    def continue_from(self, place: np.ndarray) -> None:
        """Go on from another commanded place (n,) near the last one; stays when the arm cannot be there."""
        try:
            self._q = self._joints_at(np.concatenate([place, self._off]), self.joints)
        except KinematicsError:
            return
        self._pose[self._axes] = place

    def forget(self) -> None:
        """Not anchored any more."""
        self._q = None

    def hold(self, reason: str = "") -> ToolMotion:
        """Stay where commanded."""
        self._rest()
        return ToolMotion(self.tool, self.tool, np.array([self._step]), self.joints[None], reason)

    def move(self, displacement: np.ndarray, *, settle: bool = True) -> ToolMotion:
        """Move the commanded tool position by `displacement` (n,) along the axes [m, rad] within one step.

        Clamped to the bounds, shortened to the joint velocity limits, and as close as the joint acceleration limits allow from the
        last step; holds when there is no solution. `reason` tells. `settle`: come nearer to the height and orientation in
        which the tool is held, meanwhile.
        """
        q0, before, reason = self.joints, self.tool, ""
        near = q0 if self._rest_joints is None else self._kinematics.relaxed(q0, self._rest_joints)
        start = np.concatenate([self.position, self._off])
        end = np.concatenate([self.clipped(displacement), self._nearer() if settle else self._off])
        coasting = np.concatenate([self.clipped(self._displacement[:-4]), (start + self._displacement)[-4:]])
        for _ in range(TRIES):
            try:
                joints = self._solve(near, start, end)
            except KinematicsError as error:
                return self.hold(str(error))
            reached, (speed, change) = end, self._excess(q0, joints)
            if speed <= 1.0 and change <= 1.0:
                break
            if speed > 1.0:
                reason = f"joint_velocity: shortened to {100 / speed:.0f} %"
                end = start + (end - start) * 0.98 / speed
            else:
                reason = f"joint_acceleration: changed by {100 / change:.0f} % of what was asked for"
                end = coasting + (end - coasting) * 0.98 / change
        if speed > 1.0:
            return self.hold("no motion within the joint velocity limits")
        self._velocity, self._displacement = self._speeds(q0, joints)[-1], reached - start
        self._q = joints[-1]
        self._pose[self._axes], self._off = reached[:-4], reached[-4:]
        return ToolMotion(before, self.tool, self._times(), joints, reason)

    def clipped(self, displacement: np.ndarray) -> np.ndarray:
        """The place (n,) along the axes [m, rad] that a displacement leads to, within the bounds."""
        return np.clip(self.position + displacement, self._lower, self._upper)

    def _nearer(self) -> np.ndarray:
        """What is left of `_off` (4,) after a step of returning."""
        height, turn = (
            _shorter(self._off[:1], RETURN_SPEED * self._step),
            _shorter(self._off[1:], RETURN_TURN * self._step),
        )
        return np.concatenate([height, turn])

    def _solve(self, q0: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        joints, q = [], q0
        for share in np.arange(1, self.POINTS + 1) / self.POINTS:
            q = self._joints_at(start + share * (end - start), q)
            joints.append(q)
        return np.stack(joints)

    def _joints_at(self, place: np.ndarray, near: np.ndarray) -> np.ndarray:
        """Joints (n,) near others with the tool at a place (n + 4,) along the axes and off; raises KinematicsError."""
        pose = self._pose.copy()
        pose[self._axes] = place[:-4]
        rotation = self._tool.turned(pose[YAW], pose[PITCH])
        if place[-4:].any():
            pose[UP] += place[-4]
            rotation = pinocchio.exp3(place[-3:]) @ rotation
        return self._kinematics.ik(pose[:3], rotation, near)

    def _upright(self, rotation: np.ndarray) -> np.ndarray:
        """A tool's rotation (3, 3) as if its tip at rest had the axes that a tool state is about."""
        return rotation @ self._tool.rotation.T @ np.diag([1.0, -1.0, -1.0])

    def _rest(self) -> None:
        self._velocity, self._displacement = np.zeros_like(self._velocity), np.zeros_like(self._displacement)

    def _speeds(self, q0: np.ndarray, joints: np.ndarray) -> np.ndarray:
        """(POINTS, n) [rad/s]."""
        return np.diff(np.vstack([q0, joints]), axis=0) * self.POINTS / self._step

    def _excess(self, q0: np.ndarray, joints: np.ndarray) -> tuple[float, float]:
        """Largest joint velocity, and change of it from the last step, over what is allowed; at most 1 is fine."""
        speeds = self._speeds(q0, joints)
        change = np.abs(speeds[0] - self._velocity) / self._step
        return (
            float((np.abs(speeds) / (self._velocity_share * self._kinematics.velocity)).max()),
            float((change / (ACCELERATION_SHARE * self._kinematics.acceleration)).max()),
        )

    def _times(self) -> np.ndarray:
        return self._step * np.arange(1, self.POINTS + 1) / self.POINTS


def _shorter(vector: np.ndarray, by: float) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    return vector * (1 - by / length) if length > by else np.zeros_like(vector)
