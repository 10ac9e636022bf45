"""The topics of a robot's drivers, and the truth that only a simulator knows."""

from typing import Any

from geometry_msgs.msg import PoseStamped
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from wm_msgs.msg import ArmWatch

from wm_core.lifecycle import WmNode
from wm_core.qos import LATCHED, SENSOR, STATE
from wm_core.rig import Camera, CameraRig
from wm_core.robot import RobotProfile
from wm_core.sensor_spec import SensorSpec
from wm_core.stamps import to_msg
from wm_sim.camera_profile import CameraProfile
from wm_sim.conversions import CameraMessages, arm_watch_message, copied, joint_state_message, stamped_pose
from wm_sim.faults import COLOUR, DEPTH, Faults
from wm_sim.joint_streams import JointOptions, JointStreams
from wm_sim.limit_watch import LimitWatch
from wm_sim.links import Outgoing
from wm_sim.outbox import Outbox
from wm_sim.scene_arm import SceneArm
from wm_sim.scene_truth import SceneTruth
from wm_sim.sensor_model import Delays
from wm_sim.simulated import Simulated


class CameraStreams:
    """The topics of one camera."""

    def __init__(
        self, node: WmNode, camera: Camera, profile: CameraProfile, faults: Faults, outbox: Outbox | None
    ) -> None:
        """`outbox`: for what arrives late; None: nothing does."""
        self._name, self._faults, self._outbox = camera.name, faults, outbox
        mine = profile.of(camera.name)
        self._messages = CameraMessages(camera, mine)
        self._depth = Outgoing(node, Image, mine.depth.topic, SENSOR)
        self._colour = Outgoing(node, Image, mine.colour.topic, SENSOR)
        self._info = node.publisher(CameraInfo, mine.info_topic, SENSOR)
        self._delays = Delays(camera.name, camera.sensor or SensorSpec())

    def publish(self, stamp: Any, images: tuple, now_ns: int) -> None:
        """Colour (H, W, 3) uint8 and depth (H, W) float32 [m]: now, or when they would arrive."""
        self._messages.fill(stamp, *images)
        colour_ns, depth_ns = self._delays.draw()
        self._send(self._depth, DEPTH, self._messages.depth, now_ns, depth_ns)
        self._send(self._colour, COLOUR, self._messages.colour, now_ns, colour_ns)
        self._deliver("info", self._info.publish, self._messages.info, now_ns + colour_ns)

    def _send(self, link: Outgoing, target: str, message: Any, now_ns: int, delay_ns: int) -> None:
        link.cut(self._faults.cut(target, now_ns))
        for out in self._faults.messages(self._name, target, message, now_ns):
            self._deliver(target, link.publish, out, now_ns + delay_ns)

    def _deliver(self, stream: str, publish: Any, message: Any, due_ns: int) -> None:
        if self._outbox is None:
            publish(message)
        else:
            self._outbox.put(f"{self._name} {stream}", due_ns, publish, copied(message))


class Sensors:
    """Publishes what is measured in a simulation; times are in nanoseconds."""

    def __init__(
        self,
        node: WmNode,
        sim: Simulated,
        rig: CameraRig,
        robot: RobotProfile,
        *,
        profile: CameraProfile,
        joints: JointOptions | None,
        clock: bool,
        delayed: bool,
        camera_clock_offset: float,
        faults: Faults,
        watch: LimitWatch,
    ) -> None:
        """`joints`: None: none are published. `clock`: time is simulated, and published with the joint states. `delayed`: frames may
        arrive late, as their sensor model says. `camera_clock_offset` [s]: of stamps of frames. `faults`: what is published passes
        through them.
        """
        self._sim, self._faults, self._watch = sim, faults, watch
        self._frame = robot.table_frame
        topic = node.value("joint_topic") or robot.joint_topic
        self._joints = None if joints is None else JointStreams(node, sim, robot, topic, joints, faults)
        self._placed = node.publisher(JointState, "arm_placed", LATCHED)
        self._watched = node.publisher(ArmWatch, "ground_truth/arm_watch", STATE)
        self._truth = node.publisher(PoseStamped, "ground_truth/object_pose", STATE)
        self._scene = SceneTruth(node, sim, self._frame) if isinstance(sim, SceneArm) else None
        self._clock = node.publisher(Clock, "clock", SENSOR) if clock else None
        self._outbox = Outbox()
        self._camera_offset_ns = round(1e9 * camera_clock_offset)
        self._cameras = {}
        for camera in rig.cameras:
            outbox = self._outbox if delayed and camera.sensor and camera.sensor.delayed else None
            self._cameras[camera.name] = CameraStreams(node, camera, profile, faults, outbox)

    def stepped(self, now_ns: int) -> None:
        """A physics step was made: what was measured in between, and what arrives by now."""
        if self._joints is not None:
            self._joints.stepped(now_ns)
        self._outbox.deliver(now_ns)

    def started(self) -> None:
        """Time goes on from elsewhere."""
        self._outbox.clear()

    def begin(self) -> None:
        """An episode begins."""
        if self._scene is not None:
            self._scene.begin()

    def publish_placed(self, now_ns: int) -> None:
        """Where a reset has put the arm."""
        self._placed.publish(joint_state_message(to_msg(now_ns), *self._sim.joint_state()))

    def publish_joints(self, now_ns: int) -> None:
        stamp = to_msg(self._faults.clock_ns(now_ns))
        # Before the clock: a watchdog that time sets off must know where the arm is by then.
        if self._joints is not None and not self._joints.dense:
            self._joints.publish(now_ns)
        if self._clock is not None:
            self._clock.publish(Clock(clock=stamp))
        self.publish_watch(now_ns)

    def publish_watch(self, now_ns: int) -> None:
        """What the observer saw since the last time."""
        self._watched.publish(arm_watch_message(to_msg(now_ns), self._watch.take(), self._faults.names))

    def publish_frames(self, now_ns: int) -> None:
        """The truth, then the images of all cameras."""
        stamp = to_msg(self._faults.clock_ns(now_ns))
        self._truth.publish(stamped_pose(stamp, self._frame, *self._sim.object_pose()))
        if self._scene is not None:
            self._scene.publish(stamp)
        seen = to_msg(self._faults.clock_ns(now_ns) + self._camera_offset_ns)
        for name, camera in self._cameras.items():
            camera.publish(seen, self._sim.render(name), now_ns)
