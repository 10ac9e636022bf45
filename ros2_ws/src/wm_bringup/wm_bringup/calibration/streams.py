"""What cameras and joints say now, and when the arm stands still."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, JointState

from wm_core.camera_model import Lens, sensor_lens
from wm_core.images import ImageError, colour_image
from wm_core.joint_states import JointStateError, read_joints
from wm_core.kinematics import Kinematics
from wm_core.qos import SENSOR
from wm_core.stamps import to_ns

STILL_RAD = 0.002  # no joint moves by more
STILL_S = 0.5  # for so long
NEAR_S = 0.05  # between an image and its joint state
MEMORY_S = 3.0
PATIENCE_S = 10.0  # until a topic counts as silent
SPIN_S = 0.02
T = TypeVar("T")


class StreamError(ValueError):
    """Topics from which nothing usable comes: names them."""


@dataclass(frozen=True)
class Reader(Generic[T]):
    """What becomes of the messages of one camera; both raise ImageError for one that cannot be used."""

    topic: str  # of images
    info_topic: str
    image: Callable[[Image], T]
    info: Callable[[CameraInfo], None]


class WholeImages:
    """Colour images of all of a camera's sensor, as it distorts them, and the lens that a camera_info says."""

    def __init__(self, colour_topic: str, info_topic: str, rectified: bool = False) -> None:
        """`rectified`: the images are, whatever camera_info says of distortion."""
        self._rectified = rectified
        self.reader = Reader(colour_topic, info_topic, self._image, self._info)
        self._lens: Lens | None = None

    @property
    def lens(self) -> Lens:
        """Raises StreamError before the first camera_info."""
        if self._lens is None:
            raise StreamError(f"expected messages on {self.reader.info_topic}, none came")
        return self._lens

    def _info(self, message: CameraInfo) -> None:
        self._lens = sensor_lens(message, self._rectified)

    def _image(self, message: Image) -> np.ndarray:
        lens = self.lens
        if (message.width, message.height) != (lens.width, lens.height):
            raise StreamError(
                f"{self.reader.info_topic}: expected the size of the image, {message.width} x {message.height}, got {lens.width} x"
                f" {lens.height}; turn decimation and cropping off for calibrating"
            )
        return colour_image(message)


class Streams(Generic[T]):
    """Listens to cameras, by their readers, and to the arm's joints. `spin(seconds)` serves the node."""

    def __init__(
        self,
        node: Node,
        spin: Callable[[float], object],
        kinematics: Kinematics,
        readers: Mapping[str, Reader[T]],
        joint_topic: str = "",
    ) -> None:
        """`readers`: by the camera's name; `joint_topic`: in place of the robot's."""
        self._spin, self._kinematics = spin, kinematics
        self._joints: list[tuple[int, np.ndarray]] = []
        self._images: dict[str, tuple[int, Image]] = {}
        self._readers = readers
        self._informed: set[str] = set()
        self._refused: dict[str, str] = {}  # by topic: why the last camera_info could not be used
        self._joint_topic = joint_topic or kinematics.robot.joint_topic
        # Best effort on this side: satisfied by every driver's offer.
        node.create_subscription(JointState, self._joint_topic, self._on_joints, SENSOR)
        for name in readers:
            self._subscribe(node, name)

    def _subscribe(self, node: Node, name: str) -> None:
        reader = self._readers[name]
        node.create_subscription(Image, reader.topic, lambda message: self._on_image(name, message), SENSOR)
        node.create_subscription(CameraInfo, reader.info_topic, lambda message: self._on_info(name, message), SENSOR)

    @property
    def joints(self) -> np.ndarray | None:
        """The newest joints (n,) [rad]; None before the first."""
        return self._joints[-1][1] if self._joints else None

    def await_all(self) -> None:
        """Until each topic has said something that can be used; raises StreamError naming those that have not."""
        deadline = time.monotonic() + PATIENCE_S
        while silent := self._silent():
            if time.monotonic() > deadline:
                for topic in set(silent) & set(self._refused):
                    raise StreamError(f"{topic}: {self._refused[topic]}")
                raise StreamError(
                    f"expected messages on {', '.join(silent)}, none came for {PATIENCE_S:g} s; are the drivers started, and the"
                    " cameras' named with --camera?"
                )
            self._spin(SPIN_S)

    def take(self, still: bool = True) -> dict[str, tuple[T, np.ndarray]]:
        """A new image of each camera, by name, and the joints (n,) [rad] at which it was taken.

        `still`: taken while the arm stands still. Raises StreamError when that does not come.
        """
        self._images.clear()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self._spin(SPIN_S)
            if len(self._images) < len(self._readers):
                continue
            stamps = [stamp for stamp, _ in self._images.values()]
            places = {name: self._at(stamp, still) for name, (stamp, _) in self._images.items()}
            if max(stamps) - min(stamps) > 1e9 or (still and not self._still(min(stamps))):
                continue
            found = {name: q for name, q in places.items() if q is not None}
            if len(found) == len(self._readers):
                images = self._decoded()
                return {name: (images[name], q) for name, q in found.items()}
        silent = [reader.topic for name, reader in self._readers.items() if name not in self._images]
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
        images = [reader.topic for name, reader in self._readers.items() if name not in self._images]
        infos = [reader.info_topic for name, reader in self._readers.items() if name not in self._informed]
        return [*joints, *images, *infos]

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
        reader = self._readers[name]
        try:
            reader.info(message)
        except ImageError as error:
            self._refused[reader.info_topic] = str(error)
            return
        self._informed.add(name)

    def _decoded(self) -> dict[str, T]:
        found = {}
        for name, (_, message) in self._images.items():
            reader = self._readers[name]
            try:
                found[name] = reader.image(message)
            except ImageError as error:
                raise StreamError(f"{reader.topic}: {error}") from error
        return found

    def _at(self, stamp_ns: int, still: bool) -> np.ndarray | None:
        """The joints at a time, between the states before and after it; the newest do for a later time only while the arm stands still."""
        if not self._joints or (not still and stamp_ns > self._joints[-1][0]):
            return None
        times = np.array([stamp for stamp, _ in self._joints], np.int64)
        if np.abs(times - stamp_ns).min() > NEAR_S * 1e9:
            return None
        since = (times - stamp_ns).astype(float)
        return np.array([np.interp(0.0, since, column) for column in np.array([q for _, q in self._joints]).T])

    def _still(self, stamp_ns: int) -> bool:
        begin = stamp_ns - STILL_S * 1e9
        window = [q for stamp, q in self._joints if begin <= stamp <= stamp_ns + NEAR_S * 1e9]
        known = bool(self._joints) and self._joints[0][0] <= begin + 1e8
        return known and len(window) > 2 and bool((np.ptp(window, axis=0) < STILL_RAD).all())
