"""What cameras and joints say now, and when the arm stands still."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, JointState

from wm_core.camera_model import matrix_of
from wm_core.images import ImageError, colour_image, depth_image
from wm_core.joint_states import JointStateError, read_joints
from wm_core.kinematics import Kinematics
from wm_core.qos import SENSOR
from wm_core.stamps import to_ns
from wm_perception.calibration.lens import Lens

STILL_RAD = 0.002  # no joint moves by more
STILL_S = 0.5  # for so long
NEAR_S = 0.05  # between an image and its joint state
MEMORY_S = 3.0
PATIENCE_S = 10.0  # until a topic counts as silent
SPIN_S = 0.02


class StreamError(ValueError):
    """Topics from which nothing usable comes: names them."""


@dataclass(frozen=True)
class Topics:
    """Topics by kind; `{camera}` stands for a camera's name."""

    colour: str = "{camera}/color/image_raw"
    depth: str = "{camera}/aligned_depth_to_color/image_raw"
    info: str = "{camera}/color/camera_info"
    joints: str = ""  # the robot's


class Streams:
    """Listens to cameras, in colour or in depth, and to the arm's joints. `spin(seconds)` serves the node."""

    def __init__(
        self,
        node: Node,
        spin: Callable[[float], object],
        kinematics: Kinematics,
        cameras: Sequence[str],
        topics: Topics,
        depth: bool = False,
    ) -> None:
        self.lenses: dict[str, Lens] = {}
        self._spin, self._kinematics = spin, kinematics
        self._joints: list[tuple[int, np.ndarray]] = []
        self._images: dict[str, tuple[int, Image]] = {}
        self._read = (lambda message: depth_image(message).depth) if depth else colour_image
        self._topics = {name: (topics.depth if depth else topics.colour).format(camera=name) for name in cameras}
        self._infos = {name: topics.info.format(camera=name) for name in cameras}
        self._joint_topic = topics.joints or kinematics.robot.joint_topic
        # Best effort on this side: satisfied by every driver's offer.
        node.create_subscription(JointState, self._joint_topic, self._on_joints, SENSOR)
        for name in cameras:
            self._subscribe(node, name)

    def _subscribe(self, node: Node, name: str) -> None:
        node.create_subscription(Image, self._topics[name], lambda message: self._on_image(name, message), SENSOR)
        node.create_subscription(CameraInfo, self._infos[name], lambda message: self._on_info(name, message), SENSOR)

    @property
    def joints(self) -> np.ndarray | None:
        """The newest joints (n,) [rad]; None before the first."""
        return self._joints[-1][1] if self._joints else None

    def await_all(self) -> None:
        """Until each topic has said something; raises StreamError naming those that stay silent."""
        deadline = time.monotonic() + PATIENCE_S
        while silent := self._silent():
            if time.monotonic() > deadline:
                raise StreamError(
                    f"expected messages on {', '.join(silent)}, none came for {PATIENCE_S:g} s; are the drivers started?"
                )
            self._spin(SPIN_S)

    def take(self, still: bool = True) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """New images of all cameras, by name, and the joints (n,) [rad] at which they were taken.

        `still`: taken while the arm stands still. Raises StreamError when that does not come.
        """
        self._images.clear()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self._spin(SPIN_S)
            if len(self._images) < len(self._topics):
                continue
            stamps = [stamp for stamp, _ in self._images.values()]
            q = self._at(min(stamps))
            if q is None or (still and not self._still(min(stamps))) or max(stamps) - min(stamps) > 1e9:
                continue
            return self._decoded(), q
        silent = [self._topics[name] for name in self._topics if name not in self._images]
        why = (
            f"no images came on {', '.join(silent)}"
            if silent
            else "the arm does not stand still, or its clock is another"
        )
        raise StreamError(f"expected images of an arm at rest within {PATIENCE_S:g} s: {why}")

    def named(self, q: np.ndarray) -> Mapping[str, float]:
        """Joints (n,) [rad] by their names."""
        return dict(zip(self._kinematics.joint_names, map(float, q), strict=True))

    # -- inside --------------------------------------------------------------------------------------------------

    def _silent(self) -> list[str]:
        joints = [] if self._joints else [self._joint_topic]
        images = [topic for name, topic in self._topics.items() if name not in self._images]
        return [*joints, *images, *(topic for name, topic in self._infos.items() if name not in self.lenses)]

    def _on_joints(self, message: JointState) -> None:
        try:
            q = read_joints(self._kinematics, message.name, message.position)
        except JointStateError:  # of a gripper, say
            return
        now = to_ns(message.header.stamp)
        if self._joints and now < self._joints[-1][0]:
            self._joints.clear()
        self._joints.append((now, q))
        while self._joints[0][0] < now - MEMORY_S * 1e9:
            self._joints.pop(0)

    def _on_image(self, name: str, message: Image) -> None:
        self._images[name] = (to_ns(message.header.stamp), message)

    def _on_info(self, name: str, message: CameraInfo) -> None:
        with suppress(ImageError):  # not calibrated: silent, as far as it counts
            matrix_of(message)
            self.lenses[name] = Lens.of_info(message)

    def _decoded(self) -> dict[str, np.ndarray]:
        found = {}
        for name, (_, message) in self._images.items():
            lens = self.lenses[name]
            if (message.width, message.height) != (lens.width, lens.height):
                raise StreamError(
                    f"{self._infos[name]}: expected the size of the image, {message.width} x {message.height}, got {lens.width} x"
                    f" {lens.height}; turn decimation and cropping off for calibrating"
                )
            try:
                found[name] = self._read(message)
            except ImageError as error:
                raise StreamError(f"{self._topics[name]}: {error}") from error
        return found

    def _at(self, stamp_ns: int) -> np.ndarray | None:
        if not self._joints:
            return None
        stamp, q = min(self._joints, key=lambda state: abs(state[0] - stamp_ns))
        return q if abs(stamp - stamp_ns) <= NEAR_S * 1e9 else None

    def _still(self, stamp_ns: int) -> bool:
        begin = stamp_ns - STILL_S * 1e9
        window = [q for stamp, q in self._joints if begin <= stamp <= stamp_ns + NEAR_S * 1e9]
        known = bool(self._joints) and self._joints[0][0] <= begin + 1e8
        return known and len(window) > 2 and bool((np.ptp(window, axis=0) < STILL_RAD).all())
