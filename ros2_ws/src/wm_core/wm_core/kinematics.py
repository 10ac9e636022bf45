"""Kinematics of the arm with pinocchio: forward and inverse kinematics of the tool, limits from the URDF."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pinocchio

# The tool points straight down: its z axis is -z of the base, its x axis is x of the base.
TOOL_DOWN = np.diag([1.0, -1.0, -1.0])
# [m] height of the fingertips above the table: the palm, 37 mm higher, clears objects up to 6 cm, so only fingers push.
TOOL_HEIGHT = 0.027
# [m] x, y where the tool may be commanded at that height: within the arm's reach, in sight of the cameras.
REACH_LOWER, REACH_UPPER = (0.28, -0.32), (0.72, 0.32)


class KinematicsError(ValueError):
    """A pose that the arm cannot reach, or a joint vector of the wrong form."""


class Kinematics:
    """A serial arm described by a URDF.

    `joint_names`: movable arm joints in order; `lower`, `upper` [rad], `velocity` [rad/s]: their limits, (n,).
    """

    def __init__(self, urdf: str | Path, tip: str = "panda_hand_tcp", joint_names: Sequence[str] | None = None) -> None:
        """Read the URDF; joints not in `joint_names` (default: all up to the tip that are revolute) are fixed at zero."""
        path = Path(urdf)
        if not path.is_file():
            raise KinematicsError(f"expected a URDF file, {path} does not exist; set the parameter `urdf`")
        full = pinocchio.buildModelFromUrdf(str(path))
        if not full.existFrame(tip):
            raise KinematicsError(f"{path}: expected a link '{tip}', found {[frame.name for frame in full.frames]}")
        if joint_names is None:
            tip_joint = full.frames[full.getFrameId(tip)].parentJoint
            joint_names = [full.names[j] for j in full.supports[tip_joint] if j > 0]
        unknown = [name for name in joint_names if not full.existJointName(name)]
        if unknown:
            raise KinematicsError(f"{path}: expected joints {unknown}, found {list(full.names)[1:]}")
        locked = [full.getJointId(name) for name in full.names if name != "universe" and name not in joint_names]
        self._model = pinocchio.buildReducedModel(full, locked, pinocchio.neutral(full))
        self._data = self._model.createData()
        self._tip = self._model.getFrameId(tip)
        self.joint_names = tuple(joint_names)
        self.lower = self._model.lowerPositionLimit.copy()
        self.upper = self._model.upperPositionLimit.copy()
        self.velocity = self._model.velocityLimit.copy()

    def arm_joints(self, names: Sequence[str], positions: Sequence[float] | np.ndarray) -> np.ndarray:
        """Joint angles (n,) [rad] out of a joint state's names and positions, in any order and beside other joints.

        Raises KinematicsError when some are missing or not finite.
        """
        if len(names) != len(positions):
            raise KinematicsError(f"expected one position per joint, got {len(positions)} for {len(names)} names")
        found = dict(zip(names, positions, strict=True))
        if missing := [name for name in self.joint_names if name not in found]:
            raise KinematicsError(f"expected joints {missing}, got {list(names)}")
        q = np.array([found[name] for name in self.joint_names], float)
        if not np.isfinite(q).all():
            raise KinematicsError(f"expected finite joint positions, got {q}")
        return q

    def fk(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tool position (3,) [m] and rotation (3, 3) in the base frame for joint angles (n,) [rad]."""
        pose = self._place(q, self._tip)
        return pose.translation.copy(), pose.rotation.copy()

    def link_pose(self, link: str, q: np.ndarray) -> np.ndarray:
        """Pose (4, 4) of a link in the base frame."""
        return self._place(q, self._model.getFrameId(link)).homogeneous.copy()

    def link_poses(self, links: Sequence[str], q: np.ndarray) -> list[np.ndarray]:
        """Poses (4, 4) of several links in the base frame, with one pass over the chain."""
        pinocchio.framesForwardKinematics(self._model, self._data, self._checked(q))
        return [self._data.oMf[self._model.getFrameId(link)].homogeneous.copy() for link in links]

    def jacobian(self, q: np.ndarray) -> np.ndarray:
        """Jacobian (6, n) of the tool, linear rows first, in base axes."""
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
