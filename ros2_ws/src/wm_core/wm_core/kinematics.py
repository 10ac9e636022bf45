"""Kinematics of an arm with pinocchio: forward and inverse kinematics of the tool in the table frame, limits."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pinocchio

from wm_core.robot import RobotProfile
from wm_core.robot_description import describe, joint_problems

# The tool points straight down: its z axis is -z of the base, its x axis is x of the base.
TOOL_DOWN = np.diag([1.0, -1.0, -1.0])
# [m] height of the fingertips above the table: the palm, 37 mm higher, clears objects up to 6 cm, so only fingers push.
TOOL_HEIGHT = 0.027
# [m] x, y where the tool may be commanded at that height: within the arm's reach, in sight of the cameras.
REACH_LOWER, REACH_UPPER = (0.28, -0.32), (0.72, 0.32)


HINT = " (limits: of the robot's profile)"


class KinematicsError(ValueError):
    """A pose that the arm cannot reach, or a joint vector of the wrong form."""


class Kinematics:
    """A serial arm described by a URDF. Poses are in the table frame, in which the profile says how the base stands.

    `joint_names`: movable arm joints in order; `lower`, `upper` [rad], `velocity` [rad/s], `effort` [N m]: their
    limits, (n,). `T_table_root` (4, 4): pose of the URDF's root link. `description`: the URDF.
    """

    def __init__(
        self,
        urdf: str | Path,
        tip: str = "panda_hand_tcp",
        joint_names: Sequence[str] | None = None,
        *,
        base: str | None = None,
        T_table_base: np.ndarray | None = None,
    ) -> None:
        """Read a URDF, a file or its text; joints not in `joint_names` (default: all up to the tip) are fixed at zero.

        `T_table_base` (4, 4): pose of the link `base` (default: the root) in the table frame; default: identity.
        """
        self.description = _text(urdf)
        where = "the URDF" if _is_text(urdf) else str(urdf)
        try:
            full = pinocchio.buildModelFromXML(self.description)
        except ValueError as error:  # says nothing of which joint it is
            raise KinematicsError(f"{where}: {_problems(self.description) or error}") from error
        for link in (tip, *([base] if base else [])):
            if not full.existFrame(link):
                raise KinematicsError(f"{where}: expected a link '{link}', found {[f.name for f in full.frames]}")
        if joint_names is None:
            tip_joint = full.frames[full.getFrameId(tip)].parentJoint
            joint_names = [full.names[j] for j in full.supports[tip_joint] if j > 0]
        if problems := joint_problems(self.description, joint_names):
            raise KinematicsError(f"{where}: {'; '.join(problems)}{HINT}")
        self.T_table_root = _stand(full, base, np.eye(4) if T_table_base is None else T_table_base, where)
        locked = [full.getJointId(name) for name in full.names if name != "universe" and name not in joint_names]
        self._model = pinocchio.buildReducedModel(full, locked, pinocchio.neutral(full))
        self._data = self._model.createData()
        self._tip = self._model.getFrameId(tip)
        if self._model.names.tolist()[1:] != list(joint_names):
            order = self._model.names.tolist()[1:]
            raise KinematicsError(
                f"{where}: expected joints from the base to the tool, {order}, got {list(joint_names)}"
            )
        self.joint_names = tuple(joint_names)
        self.lower = self._model.lowerPositionLimit.copy()
        self.upper = self._model.upperPositionLimit.copy()
        self.velocity = self._model.velocityLimit.copy()
        self.effort = self._model.effortLimit.copy()

    @staticmethod
    def of(profile: RobotProfile, urdf: str | None = None) -> "Kinematics":
        """The arm of a robot profile; `urdf`: the text from its topic, for a robot whose URDF is published.

        Raises RobotError or KinematicsError that names what is missing or contradictory.
        """
        try:
            return Kinematics(
                describe(profile, urdf),
                profile.tool.link,
                profile.joints,
                base=profile.base_frame,
                T_table_base=profile.T_table_base,
            )
        except KinematicsError as error:
            raise KinematicsError(f"{profile.file}: {error}") from error

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

    def link_pose(self, link: str, q: np.ndarray) -> np.ndarray:
        """Pose (4, 4) of a link in the table frame."""
        return self._place(q, self._model.getFrameId(link)).homogeneous.copy()

    def link_poses(self, links: Sequence[str], q: np.ndarray) -> list[np.ndarray]:
        """Poses (4, 4) of several links in the table frame, with one pass over the chain."""
        pinocchio.framesForwardKinematics(self._model, self._data, self._checked(q))
        return [self._data.oMf[self._model.getFrameId(link)].homogeneous.copy() for link in links]

    def jacobian(self, q: np.ndarray) -> np.ndarray:
        """Jacobian (6, n) of the tool, linear rows first, in table axes."""
        return pinocchio.computeFrameJacobian(
            self._model, self._data, self._checked(q), self._tip, pinocchio.ReferenceFrame.LOCAL_WORLD_ALIGNED
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
                self._model, self._data, q, self._tip, pinocchio.ReferenceFrame.LOCAL
            )
            step = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + damping, error)
            q = np.clip(q + np.clip(step, -0.3, 0.3), self.lower, self.upper)
        raise KinematicsError(
            f"expected a reachable tool pose, {np.round(position, 4)} leaves an error of {size:.2g}; choose a pose within the reach box"
        )

    def _place(self, q: np.ndarray, frame: int) -> pinocchio.SE3:
        pinocchio.forwardKinematics(self._model, self._data, self._checked(q))
        return pinocchio.updateFramePlacement(self._model, self._data, frame)

    def _checked(self, q: np.ndarray) -> np.ndarray:
        q = np.asarray(q, float)
        if q.shape != (self._model.nq,) or not np.isfinite(q).all():
            raise KinematicsError(f"expected {self._model.nq} finite joint angles, got shape {q.shape}: {q}")
        return q


def _problems(description: str) -> str:
    """What is wrong with the joints of a URDF that cannot be read."""
    try:
        problems = joint_problems(description)
    except ElementTree.ParseError as error:
        return f"expected XML, got {error}"
    return "; ".join(problems) + HINT if problems else ""


def _is_text(urdf: str | Path) -> bool:
    return isinstance(urdf, str) and urdf.lstrip().startswith("<")


def _text(urdf: str | Path) -> str:
    if _is_text(urdf):
        return str(urdf)
    path = Path(urdf)
    if not path.is_file():
        raise KinematicsError(f"expected a URDF file, {path} does not exist; set the parameter `urdf`")
    return path.read_text()


def _stand(model: pinocchio.Model, base: str | None, T_table_base: np.ndarray, where: str) -> np.ndarray:
    """Place a model so that its link `base` has a pose (4, 4) in the table frame; returns the root's pose (4, 4)."""
    in_root = pinocchio.SE3.Identity()
    if base is not None:
        frame = model.frames[model.getFrameId(base)]
        if frame.parentJoint != 0:
            raise KinematicsError(f"{where}: expected a base frame that no joint moves, got '{base}'")
        in_root = frame.placement
    root = pinocchio.SE3(T_table_base) * in_root.inverse()
    for joint in range(1, model.njoints):
        if model.parents[joint] == 0:
            model.jointPlacements[joint] = root * model.jointPlacements[joint]
    for frame in model.frames:
        if frame.parentJoint == 0:
            frame.placement = root * frame.placement
    return root.homogeneous.copy()
