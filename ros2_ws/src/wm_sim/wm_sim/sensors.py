"""The topics of a robot's drivers, and the truth that only a simulator knows."""

from geometry_msgs.msg import PoseStamped
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState

from wm_core.lifecycle import WmNode
from wm_core.qos import LATCHED, SENSOR, STATE
from wm_core.rig import CameraRig
from wm_core.robot import RobotProfile
from wm_core.stamps import to_msg
from wm_sim.arm_sim import ArmSim
from wm_sim.conversions import CameraMessages, joint_state_message, stamped_pose


class Sensors:
    """Publishes what is measured in an ArmSim; times are in nanoseconds."""

    def __init__(
        self, node: WmNode, sim: ArmSim, rig: CameraRig, robot: RobotProfile, depth_encoding: str, clock: bool
    ) -> None:
        """`clock`: time is simulated, and published with the joint states."""
        self._sim = sim
        self._frame = robot.table_frame
        self._cameras = {camera.name: CameraMessages(camera, depth_encoding) for camera in rig.cameras}
        self._joint_states = node.publisher(JointState, robot.joint_topic, STATE)
        self._placed = node.publisher(JointState, "arm_placed", LATCHED)
        self._truth = node.publisher(PoseStamped, "ground_truth/object_pose", STATE)
        self._clock = node.publisher(Clock, "clock", SENSOR) if clock else None
        self._streams = {
            name: (
                node.publisher(Image, f"{name}/aligned_depth_to_color/image_raw", SENSOR),
                node.publisher(Image, f"{name}/color/image_raw", SENSOR),
                node.publisher(CameraInfo, f"{name}/color/camera_info", SENSOR),
            )
            for name in self._cameras
        }

    def publish_placed(self, now_ns: int) -> None:
        """Where a reset has put the arm."""
        self._placed.publish(joint_state_message(to_msg(now_ns), *self._sim.joint_state()))

    def publish_joints(self, now_ns: int) -> None:
        stamp = to_msg(now_ns)
        # Before the clock: a watchdog that time sets off must know where the arm is by then.
        self._joint_states.publish(joint_state_message(stamp, *self._sim.joint_state()))
        if self._clock is not None:
            self._clock.publish(Clock(clock=stamp))

    def publish_frames(self, now_ns: int) -> None:
        """The truth, then the images of all cameras."""
        stamp = to_msg(now_ns)
        self._truth.publish(stamped_pose(stamp, self._frame, *self._sim.object_pose()))
        for name, messages in self._cameras.items():
            messages.fill(stamp, *self._sim.render(name))
            for publisher, message in zip(
                self._streams[name], (messages.depth, messages.colour, messages.info), strict=True
            ):
                publisher.publish(message)
