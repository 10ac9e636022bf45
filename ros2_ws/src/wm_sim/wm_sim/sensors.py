"""The topics of a robot's drivers, and the truth that only a simulator knows."""

from typing import Any

from geometry_msgs.msg import PoseStamped
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from wm_msgs.msg import ArmWatch

from wm_core.lifecycle import WmNode
from wm_core.qos import LATCHED, SENSOR, STATE
from wm_core.rig import CameraRig
from wm_core.robot import RobotProfile
from wm_core.stamps import to_msg
from wm_sim.arm_sim import ArmSim
from wm_sim.conversions import CameraMessages, arm_watch_message, joint_state_message, stamped_pose
from wm_sim.faults import COLOUR, DEPTH, JOINTS, Faults
from wm_sim.limit_watch import LimitWatch
from wm_sim.links import Outgoing


class Sensors:
    """Publishes what is measured in an ArmSim; times are in nanoseconds."""

    def __init__(
        self,
        node: WmNode,
        sim: ArmSim,
        rig: CameraRig,
        robot: RobotProfile,
        depth_encoding: str,
        clock: bool,
        faults: Faults,
        watch: LimitWatch,
    ) -> None:
        """`clock`: time is simulated, and published with the joint states. `faults`: what is published passes through them."""
        self._sim, self._faults, self._watch = sim, faults, watch
        self._frame = robot.table_frame
        self._cameras = {camera.name: CameraMessages(camera, depth_encoding) for camera in rig.cameras}
        self._joint_states = Outgoing(node, JointState, robot.joint_topic, STATE)
        self._placed = node.publisher(JointState, "arm_placed", LATCHED)
        self._watched = node.publisher(ArmWatch, "ground_truth/arm_watch", STATE)
        self._truth = node.publisher(PoseStamped, "ground_truth/object_pose", STATE)
        self._clock = node.publisher(Clock, "clock", SENSOR) if clock else None
        self._streams = {
            name: (
                Outgoing(node, Image, f"{name}/aligned_depth_to_color/image_raw", SENSOR),
                Outgoing(node, Image, f"{name}/color/image_raw", SENSOR),
                node.publisher(CameraInfo, f"{name}/color/camera_info", SENSOR),
            )
            for name in self._cameras
        }

    def publish_placed(self, now_ns: int) -> None:
        """Where a reset has put the arm."""
        self._placed.publish(joint_state_message(to_msg(now_ns), *self._sim.joint_state()))

    def publish_joints(self, now_ns: int) -> None:
        stamp = to_msg(self._faults.clock_ns(now_ns))
        # Before the clock: a watchdog that time sets off must know where the arm is by then.
        self._send(self._joint_states, "", JOINTS, joint_state_message(stamp, *self._sim.joint_state()), now_ns)
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
        for name, messages in self._cameras.items():
            messages.fill(stamp, *self._sim.render(name))
            depth, colour, info = self._streams[name]
            self._send(depth, name, DEPTH, messages.depth, now_ns)
            self._send(colour, name, COLOUR, messages.colour, now_ns)
            info.publish(messages.info)

    def _send(self, link: Outgoing, stream: str, target: str, message: Any, now_ns: int) -> None:
        link.cut(self._faults.cut(target, now_ns))
        for out in self._faults.messages(stream, target, message, now_ns):
            link.publish(out)
