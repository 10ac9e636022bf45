"""What was seen of a running system for some seconds: the record that all checks of `wm doctor --live` read. Pure: no ROS.

Messages are read by their fields alone, so that a record can be written by hand. Times are integer nanoseconds of this machine's
clock (arrivals) and of whoever stamps (stamps); topics and nodes stand in full, with their namespaces.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wm_core.clock_offset import NS_PER_S
from wm_core.joint_states import of_gripper
from wm_core.kinematics import Kinematics
from wm_core.rig import Camera, CameraRig
from wm_core.robot import RobotProfile

IMAGE, INFO, JOINTS = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo", "sensor_msgs/msg/JointState"
TRAJECTORY, CONTROLLER_STATE = "trajectory_msgs/msg/JointTrajectory", "control_msgs/msg/JointTrajectoryControllerState"
INTERPOLATES = "interpolate_from_desired_state"  # parameter of joint_trajectory_controller


@dataclass(frozen=True)
class Endpoint:
    """A publisher or subscription of somebody, with what it offers or asks for."""

    topic: str
    type: str
    node: str
    publishes: bool
    reliable: bool = True
    latched: bool = False  # transient local


@dataclass(frozen=True)
class Heard:
    """One message came; `digest` of an image's bytes, 0 of what is no image."""

    arrival_ns: int
    stamp_ns: int
    digest: int = 0


@dataclass
class Stream:
    """What came on a topic. `kept`: messages with their stamps, all joint states, of images a few spread over the time."""

    topic: str
    type: str
    heard: list[Heard] = field(default_factory=list)
    kept: list[tuple[int, Any]] = field(default_factory=list)

    @property
    def newest(self) -> Any:
        """The last message that was kept, or None."""
        return self.kept[-1][1] if self.kept else None

    @property
    def arrivals(self) -> np.ndarray:
        """(n,) [s] since the first one."""
        return _seconds([each.arrival_ns for each in self.heard])

    @property
    def stamps(self) -> np.ndarray:
        """(n,) [s] since the first one, in the order of arrival."""
        return _seconds([each.stamp_ns for each in self.heard])


def _seconds(times_ns: list[int]) -> np.ndarray:
    return np.array([each - times_ns[0] for each in times_ns], float) / NS_PER_S


@dataclass(frozen=True)
class CameraTopics:
    """Where a camera of the rig is expected."""

    name: str
    colour: str
    depth: str
    info: str


@dataclass(frozen=True)
class Setup:
    """What wm expects. `period` [s] of control; `simulated_time`: stamps are of /clock, which somebody publishes."""

    kinematics: Kinematics
    rig: CameraRig
    cameras: tuple[CameraTopics, ...]
    joint_topic: str
    controller_topic: str
    placed_topic: str = "arm_placed"  # where a simulator says that a reset has put the arm
    aligned_depth: bool = False
    rectified: str = "auto"
    sync_tolerance: float = 0.02
    sync_timeout: float = 0.06
    period: float = 0.1
    simulated_time: bool = False

    @property
    def robot(self) -> RobotProfile:
        return self.kinematics.robot

    @property
    def controller_node(self) -> str:
        """Of joint_trajectory_controller, whose topics and services are beside each other."""
        return self.controller_topic.rpartition("/")[0]

    @property
    def controller_state_topic(self) -> str:
        """Where joint_trajectory_controller says how it is."""
        return f"{self.controller_node}/controller_state"

    @property
    def types(self) -> dict[str, str]:
        """Type of each topic that wm reads."""
        found = {self.joint_topic: JOINTS}
        for camera in self.cameras:
            found |= {camera.colour: IMAGE, camera.depth: IMAGE, camera.info: INFO}
        return found


@dataclass(frozen=True)
class Machine:
    """This machine. `shm_free` [bytes] of /dev/shm; `governors` of its cores where readable; `synchronised`: its clock, None: unknown."""

    cores: int
    load: float  # of the last minute
    shm_free: float
    memory_free: float  # share
    governors: tuple[str, ...] = ()
    synchronised: bool | None = None


@dataclass
class Observed:
    """All that was seen from `begin_ns` to `end_ns`."""

    setup: Setup
    begin_ns: int
    end_ns: int
    streams: dict[str, Stream]
    endpoints: list[Endpoint]
    machine: Machine
    controller_parameters: dict[str, Any] = field(
        default_factory=dict
    )  # answers of its node; none: it has no such service

    def stream(self, topic: str) -> Stream:
        """What came on a topic; an empty stream where nothing did."""
        return self.streams.get(topic) or Stream(topic, self.setup.types.get(topic, ""))

    def publishers(self, topic: str) -> list[Endpoint]:
        return [each for each in self.endpoints if each.publishes and each.topic == topic]

    def subscriptions(self, topic: str) -> list[Endpoint]:
        return [each for each in self.endpoints if not each.publishes and each.topic == topic]

    def cameras(self) -> Iterator[tuple[CameraTopics, Camera]]:
        """Topics of each camera, beside what the rig says of it."""
        for topics in self.setup.cameras:
            yield topics, self.setup.rig[topics.name]

    @property
    def arm(self) -> Stream:
        """Joint states without those of other joints alone: a gripper's, another arm's, at times of their own on the same topic.

        Where none is the arm's, all but those of its gripper: they may be the arm's under other names.
        """
        whole, joints = self.stream(self.setup.joint_topic), frozenset(self.setup.robot.joints)
        mine = [not joints.isdisjoint(message.name) for _, message in whole.kept]
        if not any(mine):
            mine = [not of_gripper(self.setup.robot, message.name) for _, message in whole.kept]
        if all(mine) or len(whole.heard) != len(whole.kept):
            return whole
        heard = [each for each, of_arm in zip(whole.heard, mine, strict=True) if of_arm]
        return Stream(whole.topic, whole.type, heard, [k for k, of_arm in zip(whole.kept, mine, strict=True) if of_arm])
