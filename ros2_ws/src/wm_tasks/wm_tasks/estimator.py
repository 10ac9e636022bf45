"""From what the cameras of a simulated arm see to a belief, in one process: what the nodes of perception and dynamics do."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from wm_core.bundle import Bundle
from wm_core.executed import ExecutedMotion
from wm_core.kinematics import Kinematics
from wm_core.rig import CameraRig
from wm_dynamics.belief import BeliefFilter, BeliefState
from wm_perception.pipeline import CameraFrame, ObservationData, PerceptionPipeline
from wm_sim.arm_sim import ArmSim


class Estimate(NamedTuple):
    """What was seen at one instant, and what is believed after it."""

    observation: ObservationData
    belief: BeliefState


def capture(sim: ArmSim) -> dict[str, CameraFrame]:
    """What all cameras see now, by name."""
    return {camera.name: CameraFrame(*sim.rectified(camera.name), camera.K) for camera in sim.rig.cameras}


class StateEstimator:
    """Perception and belief filter of one bundle."""

    def __init__(self, bundle: Bundle, rig: CameraRig, kinematics: Kinematics) -> None:
        """`rig`: what perception takes the cameras for."""
        self._bundle = bundle
        self._perception = PerceptionPipeline(bundle, rig, kinematics)
        self._filter = BeliefFilter(bundle)

    def reset(self) -> None:
        """Nothing is known any more."""
        self._filter.reset()

    def update(
        self,
        stamp_ns: int,
        frames: Mapping[str, CameraFrame],
        joints: np.ndarray,
        motion: ExecutedMotion,
        truth: np.ndarray | None = None,
    ) -> Estimate:
        """Perceive images taken at `stamp_ns` with the arm at `joints` (n,) [rad], and believe; `motion`: commanded so far.

        With `truth` (2,) [m] the object's position is known and certain, only its looks are perceived.
        """
        seen = self._perception.process(frames, joints)
        if truth is not None:
            embedding = seen.embedding.copy()
            for part, value in (("object", truth), ("log_variance", -14.0), ("visibility", 14.0)):
                embedding[self._bundle.embedding.columns(part)] = value
            seen = replace(seen, embedding=embedding, object_xy=truth, visibility=1.0)
        return Estimate(seen, self._filter.update(stamp_ns, seen.embedding, seen.visibility, seen.tool, motion))
