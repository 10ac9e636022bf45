"""A robot in PyBullet: its servos, its fingers, and how it moves. No ROS."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from wm_core.kinematics import Kinematics
from wm_core.robot import RobotError
from wm_description.bullet import link_index, load_arm
from wm_description.physics import pybullet

LINK_PROPERTIES = {"lateralFriction": 0.5, "linearDamping": 0.0, "angularDamping": 0.0}


class SimArm:
    """The robot of a Kinematics where its profile says that it stands; the fingers are closed unless they are opened."""

    def __init__(self, client: Any, kinematics: Kinematics) -> None:
        """`client`: a physics server. Raises RobotError for fingers that the URDF does not have."""
        robot, gripper = kinematics.robot, kinematics.robot.gripper
        self._client, self._gripper, self._gain = client, gripper, robot.servo_gain
        self._arm_joints = kinematics.joint_names
        self.body, joints = load_arm(client, kinematics)
        fingers = gripper.joints if gripper else ()
        self.joint_names = (*kinematics.joint_names, *fingers)
        self._tool = link_index(client, self.body, robot.tool.link)
        if missing := [name for name in self.joint_names if name not in joints]:
            raise RobotError(f"{robot.file}: gripper.joints: {missing} are not in the URDF, which has {list(joints)}")
        self._joints = [joints[name] for name in self.joint_names]
        self._fingers = len(fingers)
        self._closed = gripper.range[0] if gripper else 0.0
        self._forces = [*kinematics.effort.tolist(), *([gripper.force if gripper else 0.0] * len(fingers))]
        for joint in joints.values():
            client.changeDynamics(self.body, joint, **LINK_PROPERTIES)
        home = robot.home
        self._home = kinematics.ik(home.position, robot.tool.turned(home.yaw), home.joints)

    @property
    def home(self) -> np.ndarray:
        """Joint angles (n,) at the start of every episode [rad]."""
        return self._home.copy()

    @property
    def finger_joints(self) -> list[int]:
        """PyBullet's indices of the fingers' joints."""
        return self._joints[len(self._arm_joints) :]

    def place(self, q: np.ndarray, opening: float | None = None) -> None:
        """The arm at rest at joints `q` (n,) [rad], at once; `opening` [m] of the gripper, None: closed."""
        for joint, angle in zip(self._joints, (*q, *self._finger_positions(opening)), strict=True):
            self._client.resetJointState(self.body, joint, angle, 0.0)
        self.set_target(q, opening)

    def set_target(self, q: np.ndarray, opening: float | None = None) -> None:
        """Joint position targets (n,) [rad] of the arm's servos; `opening` [m] of the gripper, None: closed."""
        self._client.setJointMotorControlArray(
            self.body,
            self._joints,
            pybullet.POSITION_CONTROL,
            targetPositions=[*map(float, q), *self._finger_positions(opening)],
            forces=self._forces,
            positionGains=[self._gain] * len(self._joints),
        )

    def joint_state(self) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
        """Names, positions (n,) [rad, m] and velocities (n,) [rad/s, m/s] of arm and fingers, the arm's first."""
        states = self._client.getJointStates(self.body, self._joints)
        return self.joint_names, np.array([s[0] for s in states]), np.array([s[1] for s in states])

    def motion(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The arm without fingers: joints (n,) [rad], their velocities (n,) [rad/s], tool position (3,) [m], by the physics engine."""
        states = self._client.getJointStates(self.body, self._joints[: len(self._home)])
        tool = self._client.getLinkState(self.body, self._tool, computeForwardKinematics=1)[4]
        return np.array([s[0] for s in states]), np.array([s[1] for s in states]), np.array(tool)

    def positions(self) -> list[float]:
        """Of arm and fingers [rad, m], for `show`."""
        return [state[0] for state in self._client.getJointStates(self.body, self._joints)]

    def show(self, positions: Sequence[float]) -> None:
        """Joints where those of another arm are, without a target."""
        for joint, position in zip(self._joints, positions, strict=True):
            self._client.resetJointState(self.body, joint, position)

    def opening(self) -> float:
        """[m] measured between the fingers; 0 without a gripper."""
        if self._gripper is None:
            return 0.0
        states = self._client.getJointStates(self.body, self.finger_joints)
        return self._gripper.opening_at(float(np.mean([state[0] for state in states])))

    def _finger_positions(self, opening: float | None) -> list[float]:
        at = self._closed if opening is None or self._gripper is None else self._gripper.joint_at(opening)
        return [at] * self._fingers
