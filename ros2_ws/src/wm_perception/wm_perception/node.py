"""wm_perception: cameras and joint states in, observation embedding and object geometry out."""

from dataclasses import dataclass

import numpy as np
from std_msgs.msg import Header
from wm_msgs.msg import Observation
from wm_msgs.srv import UseBundle

from wm_core.bundle import Bundle
from wm_core.bundle_slot import BundleSlot
from wm_core.kinematics import Kinematics
from wm_core.node_process import run
from wm_core.params import Param
from wm_perception.camera_node import CAMERA_PARAMETERS, CameraNode
from wm_perception.conversions import observation_message
from wm_perception.detections import Detections
from wm_perception.geometry import Geometry
from wm_perception.pipeline import CameraFrame, PerceptionPipeline
from wm_perception.rig_watch import JOINTS_S, RigWatch

WARM_UP = 3


@dataclass(frozen=True)
class LoadedPipeline:
    """What sees with one bundle."""

    bundle: Bundle
    pipeline: PerceptionPipeline
    geometry: Geometry


class PerceptionNode(CameraNode):
    PARAMETERS = (
        Param("bundle", "", "model bundle folder; empty: the shipped one"),
        *CAMERA_PARAMETERS,
        Param("detection_period", 1.0, "[s] between detections by geometry; 0 turns them off", 0.0, 3600.0),
        Param(
            "watch_rig", True, "look whether the cameras stand where the rig says, by the table and the arm in depth"
        ),
        Param("threads", 1, "onnxruntime threads of the encoder", 1, 64),
    )

    # -- lifecycle -----------------------------------------------------------------------------------------------

    def setup(self) -> None:
        self.setup_cameras()
        self._slot = BundleSlot(self, self._load_pipeline)
        self.service(UseBundle, "~/use_bundle", self._on_use)
        bev = self._slot.current.bundle.bev
        self._rig_watch = RigWatch(self._rig, Kinematics(self._robot), bev) if self.value("watch_rig") else None
        period = self.value("detection_period")
        self._detections = Detections(self, lambda: self._slot.current.geometry, period)
        self.subscribe_cameras()

    def teardown(self) -> None:
        if hasattr(self, "_slot"):
            self._slot.close()
        if hasattr(self, "_detections"):
            self._detections.close()
        if getattr(self, "_rig_watch", None) is not None:
            self._rig_watch.close()  # type: ignore[union-attr]

    def _load_pipeline(self, bundle: Bundle) -> LoadedPipeline:
        """Warmed up: the first calls of a network are slow, and a robot must not wait for them."""
        kinematics = Kinematics(self._robot)  # its buffers serve one thread
        pipeline = PerceptionPipeline(bundle, self._rig, kinematics)
        frames = {
            camera.name: CameraFrame(
                np.zeros((camera.height, camera.width, 3), np.uint8),
                np.ones((camera.height, camera.width), np.float32),
                camera.K,
            )
            for camera in self._rig.cameras
        }
        middle = (kinematics.lower + kinematics.upper) / 2
        for _ in range(WARM_UP):
            pipeline.process(frames, middle)
        return LoadedPipeline(bundle, pipeline, Geometry(self._rig, Kinematics(self._robot), bundle.bev))

    def _on_use(self, request: UseBundle.Request, response: UseBundle.Response) -> UseBundle.Response:
        """From the next measurement on; the nodes that follow change with the first message of the new bundle."""
        if request.model_id != self._slot.current.bundle.id and self._slot.adopt(request.model_id) is None:
            ready = "none" if self._slot.next is None else f"'{self._slot.next.bundle.id}'"
            raise ValueError(f"expected a bundle that was prepared ({ready} is), got '{request.model_id}'")
        response.success, response.message = True, "in use"
        return response

    # -- seeing --------------------------------------------------------------------------------------------------

    @property
    def model_id(self) -> str:
        return self._slot.current.bundle.id

    @property
    def step_duration(self) -> float:
        return self._slot.current.bundle.step_duration

    def see(self, frames: dict[str, CameraFrame], q: np.ndarray, header: Header) -> Observation | None:
        loaded = self._slot.current
        data = loaded.pipeline.process(frames, q)
        if not np.isfinite(data.embedding).all():
            self.reject("bad_embedding", "expected a finite embedding, got NaN")
            return None
        self.timed("encode_ms", data.encode_ms)
        return observation_message(header, loaded.bundle, data)

    def seen(self, frames: dict[str, CameraFrame], q: np.ndarray, stamp_ns: int) -> None:
        self._detections.look(self._header(stamp_ns), frames, q)
        if self._rig_watch is not None and self._joints.nearest(stamp_ns, round(JOINTS_S * 1e9)) is not None:
            self._rig_watch.add(frames, q, stamp_ns)

    @property
    def moved(self) -> str:
        return self._rig_watch.problem if self._rig_watch is not None else ""


def main() -> int:
    return run(PerceptionNode)


if __name__ == "__main__":
    raise SystemExit(main())
