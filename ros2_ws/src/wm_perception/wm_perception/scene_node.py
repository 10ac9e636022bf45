"""wm_perception for scenes of several objects: what stands on the table by depth, each object with a name that lasts.

In place of perception's node, with its name and its topics, as `perception:=geometry` says.
"""

import time
from pathlib import Path

import numpy as np
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from wm_msgs.msg import Belief, Observation

from wm_core.conversions import object_messages, scene_state, tool_message
from wm_core.joint_states import Fingers
from wm_core.node_process import run
from wm_core.params import Param
from wm_core.paths import bundles_dir
from wm_core.pose_noise import BY_DEPTH
from wm_core.qos import LATCHED, STATE
from wm_core.scene_bundle import bundle_facts
from wm_perception.camera_node import CAMERA_PARAMETERS, CameraNode
from wm_perception.pipeline import CameraFrame
from wm_perception.scene.eye import SceneEye
from wm_perception.scene.parts import parts_of
from wm_perception.scene.surface import SurfaceCamera

LEAP = 0.06  # [m] that no tool moves in a step: it is another scene


class SceneCameraNode(CameraNode):
    """One observation of all objects for each set of images."""

    PARAMETERS = (
        Param("bundle", "", "bundle of scenes, for its id and rate; empty: the shipped one"),
        *CAMERA_PARAMETERS,
        Param("position_noise", BY_DEPTH.position, "[m] standard deviation of what is seen, in each axis", 0.0, 0.1),
        Param("rotation_noise", round(BY_DEPTH.rotation, 3), "[rad] the same about each axis", 0.0, 1.0),
        Param(
            "placed_topic",
            "arm_placed",
            "where a simulator says that a reset has put the arm: the scene is another one",
        ),
    )

    # -- lifecycle -----------------------------------------------------------------------------------------------

    def setup(self) -> None:
        self.setup_cameras()
        bundle = Path(self.value("bundle") or bundles_dir() / "scene")
        self._id, self._step_duration = bundle_facts(bundle)
        self._camera = SurfaceCamera(self._rig, self._kinematics)
        self._eye = SceneEye(parts_of(bundle))
        self._fingers = Fingers(self._robot)
        self._believed: dict[str, np.ndarray] = {}  # x, y, yaw and top by name, a step later than the newest belief
        self._tool: np.ndarray | None = None
        self.subscribe(Belief, "wm/belief", self._on_belief, STATE)
        self.subscribe(JointState, self.value("placed_topic"), self._on_placed, LATCHED)
        self.subscribe_cameras()

    def start(self) -> None:
        super().start()
        self._forget()

    def _forget(self) -> None:
        """The scene is another one."""
        self._eye.reset()
        self._believed.clear()
        self._tool = None

    # -- seeing --------------------------------------------------------------------------------------------------

    @property
    def model_id(self) -> str:
        return self._id

    @property
    def step_duration(self) -> float:
        return self._step_duration

    def see(self, frames: dict[str, CameraFrame], q: np.ndarray, header: Header) -> Observation | None:
        began = time.perf_counter()
        tool = self._kinematics.tool(q)
        opening = tool.values[-1] = self._fingers.opening
        if self._tool is not None and np.linalg.norm(tool.values[:3] - self._tool) > LEAP:
            self.counts["restarts"] += 1
            self._forget()
        self._tool = tool.values[:3].copy()
        surface = self._camera.look(frames, q, opening)
        while not self._camera.settled:  # a simulator in lockstep waits for an answer to its first images
            surface = self._camera.look(frames, q, opening)
        scene = self._eye.look(surface, tool.values, self._believed)
        if not scene.slots:
            self.reject("nothing_seen", "expected an object on the table, nothing stands there")
            return None
        scene.variance[:, :3], scene.variance[:, 3:6] = (
            self.value("position_noise") ** 2,
            self.value("rotation_noise") ** 2,
        )
        self.timed("encode_ms", 1e3 * (time.perf_counter() - began))
        return Observation(
            header=header,
            model_id=self.model_id,
            objects=object_messages(scene, np.isfinite(scene.position[:, 0]).astype(float)),
            observed_fraction=float(surface.seen.mean()),
            tool=tool_message(tool),
        )

    def _on_belief(self, message: Belief) -> None:
        """Where objects are expected in the next look: as they are believed to move."""
        believed = scene_state(message.objects)
        ahead = np.nan_to_num(believed.velocity) * self.step_duration
        places, yaws = believed.position + ahead[:, :3], believed.yaw + ahead[:, 5]
        self._believed = {
            name: np.array([place[0], place[1], yaw, place[2] + height / 2])
            for name, place, yaw, height in zip(believed.identities, places, yaws, believed.size[:, 2], strict=True)
            if np.isfinite(place).all()
        }

    def _on_placed(self, message: JointState) -> None:
        self.counts["restarts"] += 1
        self._forget()

    def _on_joints(self, message: JointState) -> None:
        self._fingers.heard(message.name, message.position)
        super()._on_joints(message)


def main() -> int:
    return run(SceneCameraNode)


if __name__ == "__main__":
    raise SystemExit(main())
