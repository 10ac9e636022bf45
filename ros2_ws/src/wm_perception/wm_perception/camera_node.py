"""A node that is given cameras and joint states: what of them belongs to one instant, and what is wrong with it."""

from abc import abstractmethod

import numpy as np
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header
from wm_msgs.msg import Observation

from wm_core.camera_model import CHOICES, Rectified, rectified_of
from wm_core.images import ImageError
from wm_core.joint_states import Others
from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.lifecycle import WmNode
from wm_core.params import Param
from wm_core.paths import rig_path
from wm_core.qos import SENSOR, STATE
from wm_core.rig import CameraRig
from wm_core.robot_source import ROBOT, ROBOT_RETIRED, robot_of
from wm_core.stamps import to_msg, to_ns
from wm_perception.camera_input import CameraInput
from wm_perception.frozen import FrozenCameras, FrozenError
from wm_perception.pace import Pace
from wm_perception.pipeline import CameraFrame
from wm_perception.report import OBSERVATIONS, Report
from wm_perception.streams import COLOUR, DEPTH, INFO, JOINTS
from wm_perception.sync import ImageSet, JointHistory, StampPairing

FASTER = 1.5  # times the tool's speed limit: joint states that say so have lied
CAMERA_PARAMETERS = (
    Param("rig", "two_cameras", "camera rig: a name in sim_worlds/rigs or the path of a file"),
    *ROBOT,
    Param("cameras", [], "names of the rig's cameras to use; empty: all"),
    Param("colour_topic", "{camera}/color/image_raw", "colour topic of a camera"),
    Param("depth_topic", "{camera}/aligned_depth_to_color/image_raw", "depth topic of a camera, aligned to colour"),
    Param("info_topic", "{camera}/color/camera_info", "camera_info topic of a camera"),
    Param("aligned_depth", False, "depth is aligned to colour, although its frame_id says another frame"),
    Param("rectified", "auto", "whether images are rectified; auto: each by its topic's name", choices=CHOICES),
    Param("joint_topic", "", "joint states of the arm; empty: as the robot's profile says"),
    Param("sync_tolerance", 0.02, "[s] stamps closer than this are one instant", 0.0, 1.0),
    Param("sync_timeout", 0.06, "[s] after which an instant is used without the missing camera", 0.0, 5.0),
    Param("joint_tolerance", 0.06, "[s] largest distance between images and the joint state used", 0.0, 1.0),
    Param("frozen_repeats", 10, "identical images in a row, while the arm moves, that mean a frozen camera", 2, 10000),
)


class CameraNode(WmNode):
    """Calls `see` with the frames and joints of an instant; that answers with the observation to publish."""

    RETIRED = ROBOT_RETIRED

    def __init__(self, **kwargs: object) -> None:
        super().__init__("wm_perception", **kwargs)

    @property
    @abstractmethod
    def model_id(self) -> str:
        """Of the bundle for which it sees."""

    @property
    @abstractmethod
    def step_duration(self) -> float:
        """[s] between two observations."""

    @abstractmethod
    def see(self, frames: dict[str, CameraFrame], q: np.ndarray, header: Header) -> Observation | None:
        """What is seen in frames of one instant at arm joints `q` (n,) [rad]; None for nothing that can be used, after `reject`.

        Raises ValueError for images that do not belong together.
        """

    def seen(self, frames: dict[str, CameraFrame], q: np.ndarray, stamp_ns: int) -> None:
        """Called after the observation was published."""

    @property
    def moved(self) -> str:
        """Cameras that do not stand where the rig says; empty: none."""
        return ""

    # -- lifecycle -----------------------------------------------------------------------------------------------

    def setup_cameras(self) -> None:
        """Robot, rig and streams; subscribe with `subscribe_cameras` when the rest is ready."""
        self._robot = robot_of(self)
        self._others = Others(self._robot)
        rig = CameraRig.load(rig_path(self.value("rig"))).in_table_frame(self._robot)
        names = self.value("cameras")
        self._rig = rig.only(names) if names else rig
        self._kinematics = Kinematics(self._robot)
        self._reset_streams()
        self._observations = self.publisher(Observation, "wm/observation", STATE)

    def subscribe_cameras(self) -> None:
        """Joint states first: the executor serves what has arrived in this order."""
        joints = self.value("joint_topic") or self._robot.joint_topic
        self._joint_topic = self.subscribe_offered(JointState, joints, self._on_joints).topic_name
        self._given.streams.add(JOINTS, self._joint_topic)
        for camera in self._rig.cameras:
            self._subscribe_camera(camera.name)
        self.every(1.0, self._report, wall=True)

    def start(self) -> None:
        self._given.streams.begin()

    def _reset_streams(self) -> None:
        names = [camera.name for camera in self._rig.cameras]
        self._pairing = StampPairing(
            names, round(self.value("sync_tolerance") * 1e9), round(self.value("sync_timeout") * 1e9)
        )
        self._joints = JointHistory()
        self._frozen = FrozenCameras(self.value("frozen_repeats"), FASTER * self._robot.tool_speed)
        self._cameras = {
            camera.name: CameraInput(camera, self._rectified(camera.name), self.value("aligned_depth"))
            for camera in self._rig.cameras
        }
        self._given = Report(self, names)
        self._waiting: ImageSet | None = None  # for its joint state
        self._observed: Observation | None = None  # the newest
        self._pace = Pace()

    def _topic(self, kind: str, camera: str) -> str:
        return self.value(f"{kind}_topic").format(camera=camera)

    def _rectified(self, camera: str) -> Rectified:
        return rectified_of(self.value("rectified"), self._topic(COLOUR, camera), self._topic(DEPTH, camera))

    def _subscribe_camera(self, name: str) -> None:
        for kind, message, take in (
            (COLOUR, Image, lambda image: self._on_image(COLOUR, name, image)),
            (DEPTH, Image, lambda image: self._on_image(DEPTH, name, image)),
            (INFO, CameraInfo, lambda info: self._on_info(name, info)),
        ):
            subscription = self.subscribe(message, self._topic(kind, name), take, SENSOR)
            self._given.streams.add(kind, subscription.topic_name, name)

    # -- streams -------------------------------------------------------------------------------------------------

    def _on_info(self, name: str, message: CameraInfo) -> None:
        self._given.streams.heard(INFO, name)
        try:
            self._cameras[name].info(message)
            self._given.streams.informed(name)
        except ImageError as error:
            self.reject("bad_camera_info", f"{name}: {error}")

    def _on_joints(self, message: JointState) -> None:
        if self._others.alone(message.name):
            return
        try:
            q = self._kinematics.arm_joints(message.name, message.position)
        except KinematicsError as error:
            self._given.streams.heard(JOINTS)
            self.reject("bad_joint_state", f"{self._joint_topic}: {error}")
            return
        self._given.heard(JOINTS, to_ns(message.header.stamp))
        self._joints.add(to_ns(message.header.stamp), q)
        self._frozen.moved(to_ns(message.header.stamp), self._kinematics.fk(q)[0])
        if self._waiting is not None:
            images, self._waiting = self._waiting, None
            self._on_set(images)

    def _on_image(self, kind: str, name: str, message: Image) -> None:
        stamp_ns = to_ns(message.header.stamp)
        self._given.heard(kind, stamp_ns, name)
        if kind == COLOUR and name == self._rig.cameras[0].name:
            self._answer_again(message)
        try:
            if kind == COLOUR:
                image = self._cameras[name].colour(message)
                self._frozen.check(name, stamp_ns, message.data, round(self.value("joint_tolerance") * 1e9))
            else:
                depth = self._cameras[name].depth(message)
                self.counts["invalid_depth_pixels"] += depth.invalid
                image = depth.depth
        except ImageError as error:
            if isinstance(error, FrozenError):
                self._pairing.counts["frozen"] += 1
            self.reject(f"bad_{kind}", f"{name}: {error}")
            return
        add = self._pairing.colour if kind == COLOUR else self._pairing.depth
        for images in add(name, stamp_ns, image):
            self._on_set(images)

    def _answer_again(self, message: Image) -> None:
        """The newest frames once more: a simulator in lockstep still waits, since nobody heard the observation of them. In real time
        it is a camera that hangs.
        """
        if not self.simulated_time:
            return
        if self._observed is not None and self._observed.header.stamp == message.header.stamp:
            self._observations.publish(self._observed)
            self.counts["repeated"] += 1

    def _on_set(self, images: ImageSet) -> None:
        q = self._joints.nearest(images.stamp_ns, round(self.value("joint_tolerance") * 1e9))
        if not self._pace.due(images.stamp_ns, round(self.step_duration * 1e9), self._pairing.period_ns):
            self.counts["between_steps"] += 1
            return
        if q is None:
            self._await_joints(images)
            return
        frames = self._frames(images)
        if not frames:
            return
        try:
            observed = self.see(frames, q, self._header(images.stamp_ns))
        except ValueError as error:
            self.reject("bad_image_set", str(error))
            return
        if observed is None:
            return
        self._observed = observed
        self._observations.publish(observed)
        self._pace.used(images.stamp_ns)
        self.counts[OBSERVATIONS] += 1
        self.seen(frames, q, images.stamp_ns)

    def _frames(self, images: ImageSet) -> dict[str, CameraFrame]:
        """Frames of the cameras whose colour, depth and intrinsics fit; the others are counted and named."""
        frames = {}
        for name, rgb in images.colour.items():
            camera = self._cameras[name]
            try:
                frames[name] = camera.frame(rgb, images.depth[name])
            except ValueError as error:
                if not self._given.streams.awaits_info(name):
                    self.reject("bad_image_set", f"{name}: {error}")
                continue
            if camera.implausible:
                self.reject("implausible_depth", f"{name}: {camera.implausible}")
        return frames

    def _await_joints(self, images: ImageSet) -> None:
        """Topics overtake each other: the joint state of these images may be on its way. Only the newest images wait."""
        passed = self._joints.newest_ns is not None and self._joints.newest_ns > images.stamp_ns
        if passed or self._waiting is not None:
            self.reject(
                "no_joint_state", f"expected a joint state on {self._joint_topic} near the images' stamp, got none"
            )
        self._waiting = None if passed else images

    def _header(self, stamp_ns: int) -> Header:
        return Header(stamp=to_msg(stamp_ns), frame_id=self._robot.table_frame)

    # -- diagnostics ---------------------------------------------------------------------------------------------

    def _report(self) -> None:
        level, summary = self._given.judge({**self._pairing.counts, **self.counts}, self.moved)
        self.diagnose(level, summary, model_id=self.model_id, **{**self._pairing.counts, **self.record()})
