"""Episodes in rosbag2 bags (MCAP): the same topics as on a robot.

A bag holds whole episodes, each between two messages on `wm/episode` (wm_msgs/Episode). A video bag has only cameras and
joints. `wm_bags.steps` reads them; `steps.strict` refuses whatever is not as it is written here.
"""

import dataclasses
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from wm_bags.steps.frames import Step
from wm_bags.storage.definitions import definition_of
from wm_bags.storage.errors import BagError
from wm_bags.storage.metadata import Topic
from wm_bags.storage.writer import BagWriter, Storage
from wm_core.bags import typestore

TRUTH = "ground_truth/object_pose"
EPISODE = "wm/episode"
EXECUTED = "wm/executed"
JOINTS = "joint_states"
COLOUR, DEPTH, INFO = "/color/image_raw", "/aligned_depth_to_color/image_raw", "/color/camera_info"
KINDS = {
    EPISODE: "wm_msgs/msg/Episode",
    EXECUTED: "wm_msgs/msg/Command",
    JOINTS: "sensor_msgs/msg/JointState",
    TRUTH: "geometry_msgs/msg/PoseStamped",
}
CAMERA_KINDS = {COLOUR: "sensor_msgs/msg/Image", INFO: "sensor_msgs/msg/CameraInfo", DEPTH: "sensor_msgs/msg/Image"}


class EpisodeWriter:
    """Writes one bag; it appears under its name only when it is complete. With `video`, only cameras and joints.

    `frame`: of all positions.
    """

    def __init__(self, path: Path, cameras: tuple[str, ...], video: bool = False, frame: str = "table") -> None:
        self.path = Path(path)
        self._frame = frame
        self._work = self.path.with_name(f".{self.path.name}.part")
        if self.path.exists():
            raise BagError(f"expected a new bag, {self.path} exists; choose another folder or delete it")
        shutil.rmtree(self._work, ignore_errors=True)
        self._store = typestore()
        # The folder's name becomes the file's name inside the bag, so the bag is written in a part folder.
        self._bag = self._work / self.path.name
        self._work.mkdir(parents=True)
        self._writer = BagWriter(self._bag, Storage("zstd", flush_s=math.inf))
        topics = {topic: kind for topic, kind in KINDS.items() if topic == JOINTS or not video}
        topics |= {camera + topic: kind for camera in cameras for topic, kind in CAMERA_KINDS.items()}
        for topic, kind in topics.items():
            self._writer.add_topic(Topic(f"/{topic}", definition_of(kind)))
        self._kinds = topics

    def begin(self, stamp_ns: int, world: str, seed: int) -> None:
        """An episode of exploration begins; nothing is written of it in a video bag."""
        self._announce(stamp_ns, "BEGIN", world, seed)

    def end(self, stamp_ns: int, world: str, seed: int) -> None:
        """The episode is over."""
        self._announce(stamp_ns, "END", world, seed)

    def _announce(self, stamp_ns: int, event: str, world: str, seed: int) -> None:
        if EPISODE not in self._kinds:
            return
        kind = self._store.types[KINDS[EPISODE]]
        self._write(
            EPISODE,
            stamp_ns,
            header=self._header(stamp_ns, self._frame),
            event=getattr(kind, event),
            purpose=kind.EXPLORATION,  # type: ignore[attr-defined]
            world=world,
            seed=seed,
            model_id="",
            goal=self._message("geometry_msgs/msg/Point", x=math.nan, y=math.nan, z=math.nan),
            outcome=kind.UNKNOWN,  # type: ignore[attr-defined]
            reason="",
            final_distance=math.nan,
        )

    def step(self, step: Step) -> None:
        header = self._header(step.stamp_ns, self._frame)
        for camera, frame in step.frames.items():
            height, width = frame.depth.shape
            optical = self._header(step.stamp_ns, f"{camera}_color_optical_frame")
            self._image(camera + COLOUR, step.stamp_ns, optical, "rgb8", frame.rgb)
            millimetres = np.clip(np.rint(frame.depth * 1000), 0, 65535).astype("<u2")
            self._image(camera + DEPTH, step.stamp_ns, optical, "16UC1", millimetres)
            self._write(
                camera + INFO,
                step.stamp_ns,
                header=optical,
                height=height,
                width=width,
                distortion_model="plumb_bob",
                d=np.zeros(5),
                k=frame.K.reshape(-1).astype(float),
                r=np.eye(3).reshape(-1),
                p=np.hstack([frame.K, np.zeros((3, 1))]).reshape(-1),
                binning_x=0,
                binning_y=0,
                roi=self._message(
                    "sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
                ),
            )
        empty = np.zeros(0)
        self._write(
            JOINTS,
            step.stamp_ns,
            header=header,
            name=list(step.joint_names),
            position=np.asarray(step.joints, float),
            velocity=empty,
            effort=empty,
        )
        if EXECUTED not in self._kinds:
            return
        if step.truth is not None:
            self._write(TRUTH, step.stamp_ns, header=header, pose=self._pose(step.truth))
        stamp = header.stamp
        self._write(
            EXECUTED,
            step.stamp_ns,
            header=header,
            effective=stamp,
            action=np.zeros(2, np.float32),
            tool_start=self._tool(step.ee_start),
            tool_end=self._tool(step.ee_end),
            trajectory=self._message("trajectory_msgs/msg/JointTrajectory", header=header, joint_names=[], points=[]),
            status=1,
            reason="",
            IDLE=0,
            ACTIVE=1,
            HOLD=2,
        )

    def _tool(self, xy: np.ndarray) -> Any:
        """A tool at a place (2,) [m] in the plane in which it moves; nothing else is known of it."""
        x, y = map(float, xy)
        position = self._message("geometry_msgs/msg/Point", x=x, y=y, z=0.0)
        return self._message("wm_msgs/msg/ToolState", position=position, yaw=math.nan, pitch=math.nan, opening=math.nan)

    def close(self) -> Path:
        """Finish the bag; it appears under its own name."""
        self._writer.close()
        self._bag.rename(self.path)
        self._work.rmdir()
        return self.path

    def _message(self, kind: str, **fields: Any) -> Any:
        return self._store.types[kind](**fields)

    def _header(self, stamp_ns: int, frame: str) -> Any:
        stamp = self._message("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        return self._message("std_msgs/msg/Header", stamp=stamp, frame_id=frame)

    def _pose(self, truth: np.ndarray) -> Any:
        x, y, z, qx, qy, qz, qw = (float(v) for v in truth)
        return self._message(
            "geometry_msgs/msg/Pose",
            position=self._message("geometry_msgs/msg/Point", x=x, y=y, z=z),
            orientation=self._message("geometry_msgs/msg/Quaternion", x=qx, y=qy, z=qz, w=qw),
        )

    def _image(self, topic: str, stamp_ns: int, header: Any, encoding: str, pixels: np.ndarray) -> None:
        """Write an image (H, W) or (H, W, C) of little-endian numbers."""
        rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)
        self._write(
            topic,
            stamp_ns,
            header=header,
            height=pixels.shape[0],
            width=pixels.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=rows.shape[1],
            data=rows.reshape(-1),
        )

    def _write(self, topic: str, stamp_ns: int, **fields: Any) -> None:
        kind = self._kinds[topic]
        # Constants of a message are class attributes in rosbags, not fields.
        known = {field.name: field for field in dataclasses.fields(self._store.types[kind])}  # type: ignore[arg-type]
        message = self._message(
            kind, **{key: value for key, value in fields.items() if key in known and known[key].init}
        )
        self._writer.write(f"/{topic}", self._store.serialize_cdr(message, kind), stamp_ns, stamp_ns)
