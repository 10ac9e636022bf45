"""Kinematics of an arm with pinocchio: forward and inverse kinematics of the tool in the table frame, limits."""

from collections.abc import Sequence
from math import isfinite

import numpy as np

from wm_core.shadowed import why_not

try:
    import pinocchio
except ImportError as error:
    raise ImportError(why_not("pinocchio", error)) from error

from wm_core.robot import RobotProfile
from wm_core.robot_description import describe, joint_problems
from wm_core.scene import ToolState, tool_of

HINT = " (limits: of the robot's profile)"
# Of joints whose profile says nothing: the acceleration is what MoveIt's jerk-limited smoothing takes then.
CAUTIOUS_ACCELERATION = 10.0  # [rad/s^2]
CAUTIOUS_JERK = 500.0  # [rad/s^3]: that acceleration is reached in 20 ms
RELAX = 0.03  # [rad] a step, of joints that the tool's pose leaves free, towards where they rest
SHORT = 30  # iterations of a search whose failure says enough


class KinematicsError(ValueError):
    """A pose that the arm cannot reach, or a joint vector of the wrong form."""


class Kinematics:
    """The arm of a robot profile, `robot`. Poses are in the table frame, in which the profile says how the base stands.

    `joint_names`: arm joints in order; `lower`, `upper` [rad], `velocity` [rad/s], `acceleration` [rad/s^2], `jerk`
    [rad/s^3], `effort` [N m]: their limits, (n,).
    `description`: the URDF, with the profile's names, limits and tool. `T_table_root` (4, 4): pose of its root link.
    `model`: the arm in the table frame, as pinocchio has it.
    """

    def __init__(self, robot: RobotProfile) -> None:
        """Joints that are not the arm's are fixed at zero. Raises KinematicsError or RobotError that names the profile and
        what is missing or contradictory.
        """
        self.robot = robot
        self.description = describe(robot)
        self.joint_names = robot.joints
        try:
            full = pinocchio.buildModelFromXML(self.description)
        except ValueError as error:  # says nothing of which joint it is
            problems = "; ".join(joint_problems(self.description))
            raise KinematicsError(f"{robot.file}: {problems + HINT if problems else error}") from error
        for link in (robot.tool.link, robot.base_frame):
            if not full.existFrame(link):
                raise KinematicsError(
                    f"{robot.file}: expected a link '{link}', found {[frame.name for frame in full.frames]}"
                )
        if found := joint_problems(self.description, robot.joints):
            raise KinematicsError(f"{robot.file}: {'; '.join(found)}{HINT}")
        self.T_table_root = _stand(full, robot)
        locked = [full.getJointId(name) for name in full.names if name != "universe" and name not in robot.joints]
        self.model = pinocchio.buildReducedModel(full, locked, pinocchio.neutral(full))
        self._data = self.model.createData()
        self._shape = (self.model.nq,)
        self._tip = self.model.getFrameId(robot.tool.link)
        order = tuple(self.model.names)[1:]
        if order != robot.joints:
            raise KinematicsError(
                f"{robot.file}: joints: expected them from the base to the tool, {order}, got {robot.joints}"
            )
        self.lower = self.model.lowerPositionLimit.copy()
        self.upper = self.model.upperPositionLimit.copy()
        self.velocity = self.model.velocityLimit.copy()
        self.effort = self.model.effortLimit.copy()
        self.acceleration = _or_cautious(robot.limits.acceleration, CAUTIOUS_ACCELERATION, robot)
        self.jerk = _or_cautious(robot.limits.jerk, CAUTIOUS_JERK, robot)

    def arm_joints(self, names: Sequence[str], positions: Sequence[float] | np.ndarray) -> np.ndarray:
        """Joint angles (n,) [rad] out of a joint state's names and positions, in any order and beside other joints.

        Raises KinematicsError when some are missing or not finite.
        """
        if len(names) != len(positions):
            raise KinematicsError(f"expected one position per joint, got {len(positions)} for {len(names)} names")
        found = dict(zip(names, positions, strict=True))
        if len(found) != len(names) and any(list(names).count(name) > 1 for name in self.joint_names):
            raise KinematicsError(f"expected every joint once, got {list(names)}")
        if missing := [name for name in self.joint_names if name not in found]:
            raise KinematicsError(f"expected joints {missing}, got {list(names)}")
        q = np.array([found[name] for name in self.joint_names], float)
        if not np.isfinite(q).all():
            raise KinematicsError(f"expected finite joint positions, got {q}")
        return q

    def fk(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tool position (3,) [m] and rotation (3, 3) in the table frame for joint angles (n,) [rad]."""
        pose = self._place(q, self._tip)
        return pose.translation.copy(), pose.rotation.copy()

    def tool(self, q: np.ndarray) -> ToolState:
        """Tool state (6,) for joint angles (n,) [rad]; the gripper's opening is not known."""
        return tool_of(*self.fk(q))

    def tool_motion(self, q: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tool position (3,) [m] and velocity (3,) [m/s] in the table frame for joints (n,) [rad] and their velocities (n,) [rad/s]."""
        pinocchio.forwardKinematics(self.model, self._data, self._checked(q), self._checked(v))
        pose = pinocchio.updateFramePlacement(self.model, self._data, self._tip)
        axes = pinocchio.ReferenceFrame.LOCAL_WORLD_ALIGNED
        velocity = pinocchio.getFrameVelocity(self.model, self._data, self._tip, axes)
        return pose.translation.copy(), velocity.linear.copy()

    def link_pose(self, link: str, q: np.ndarray) -> np.ndarray:
        """Pose (4, 4) of a link in the table frame."""
        return self._place(q, self.model.getFrameId(link)).homogeneous.copy()

    def link_poses(self, links: Sequence[str], q: np.ndarray) -> list[np.ndarray]:
        """Poses (4, 4) of several links in the table frame, with one pass over the chain."""
        pinocchio.framesForwardKinematics(self.model, self._data, self._checked(q))
        return [self._data.oMf[self.model.getFrameId(link)].homogeneous.copy() for link in links]

    def jacobian(self, q: np.ndarray) -> np.ndarray:
        """Jacobian (6, n) of the tool, linear rows first, in table axes."""
        return pinocchio.computeFrameJacobian(
            self.model, self._data, self._checked(q), self._tip, pinocchio.ReferenceFrame.LOCAL_WORLD_ALIGNED
        ).copy()

    def ik(
        self, position: np.ndarray, rotation: np.ndarray, q0: np.ndarray, tolerance: float = 1e-5, iterations: int = 100
    ) -> np.ndarray:
        """Joint angles (n,) within limits that bring the tool to a pose, starting from `q0`.

        Damped least squares (Nakamura and Hanafusa 1986) on the pose error; raises KinematicsError when the
        error [m, rad] stays above `tolerance`.
        """
        target = pinocchio.SE3(np.asarray(rotation, float), np.asarray(position, float))
        q = self._checked(q0).copy()
        damping = 1e-8 * np.eye(6)
        size = np.inf
        for _ in range(iterations):
            error = pinocchio.log6(self._place(q, self._tip).actInv(target)).vector
            size = float(np.abs(error).max())
            if size < tolerance:
                return q
            jacobian = pinocchio.computeFrameJacobian(
                self.model, self._data, q, self._tip, pinocchio.ReferenceFrame.LOCAL
            )
            step = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + damping, error)
            q = np.clip(q + np.clip(step, -0.3, 0.3), self.lower, self.upper)
        raise KinematicsError(
            f"expected a reachable tool pose, {np.round(position, 4)} leaves an error of {size:.2g}; choose a pose within the reach box"
        )

    def reaches(self, tool: np.ndarray) -> bool:
        """Whether the arm can hold its tool in a state (6,), as far as a short search from its home says."""
        x, y, z, yaw, pitch, _ = tool
        try:
            self.ik(np.array([x, y, z]), self.robot.tool.turned(yaw, pitch), self.robot.home.joints, 1e-3, SHORT)
        except KinematicsError:
            return False
        return True

    def relaxed(self, q: np.ndarray, rest: np.ndarray, largest: float = RELAX) -> np.ndarray:
        """Joints (n,) a little nearer to `rest` (n,), no joint by more than `largest` [rad], with the tool where it was to first
        order: an arm with more joints than the tool needs does not creep into its limits (null space of the Jacobian).
        """
        jacobian = self.jacobian(q)
        off = np.asarray(rest, float) - q
        step = off - np.linalg.pinv(jacobian, rcond=1e-3) @ (jacobian @ off)
        farthest = float(np.abs(step).max())
        return np.clip(q + step * min(1.0, largest / max(farthest, 1e-9)), self.lower, self.upper)

    def _place(self, q: np.ndarray, frame: int) -> pinocchio.SE3:
        pinocchio.forwardKinematics(self.model, self._data, self._checked(q))
        return pinocchio.updateFramePlacement(self.model, self._data, frame)

    def _checked(self, q: np.ndarray) -> np.ndarray:
        q = np.asarray(q, float)
        if q.shape != self._shape or not isfinite(q.dot(q)):  # one call where np.isfinite needs two
            raise KinematicsError(f"expected {self.model.nq} finite joint angles, got shape {q.shape}: {q}")
        return q


def _or_cautious(values: np.ndarray | None, cautious: float, robot: RobotProfile) -> np.ndarray:
    return np.full(len(robot.joints), cautious) if values is None else values.copy()


def _stand(model: pinocchio.Model, robot: RobotProfile) -> np.ndarray:
    """Place a model so that its base frame stands in the table frame as the profile says; the root's pose (4, 4)."""
    frame = model.frames[model.getFrameId(robot.base_frame)]
    if frame.parentJoint != 0:
        raise KinematicsError(
            f"{robot.file}: base.frame: expected a link that no joint moves, got '{robot.base_frame}'"
        )
    root = pinocchio.SE3(robot.T_table_base) * frame.placement.inverse()
    for joint in range(1, model.njoints):
        if model.parents[joint] == 0:
            model.jointPlacements[joint] = root * model.jointPlacements[joint]
    for frame in model.frames:
        if frame.parentJoint == 0:
            frame.placement = root * frame.placement
    return root.homogeneous.copy()
