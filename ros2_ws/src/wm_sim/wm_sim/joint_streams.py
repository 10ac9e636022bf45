"""Joint states as drivers publish them: the arm's at any rate, a gripper's on the same topic with stamps of its own."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState

from wm_core.lifecycle import WmNode
from wm_core.params import ConfigError
from wm_core.robot import RobotProfile
from wm_core.stamps import to_msg
from wm_sim.arm_sim import PHYSICS_HZ
from wm_sim.conversions import joint_state_message
from wm_sim.faults import JOINTS, Faults
from wm_sim.links import Outgoing
from wm_sim.simulated import Simulated

BREAK_NS = 250_000_000  # steps farther apart were a pause: nothing was measured meanwhile


@dataclass(frozen=True)
class JointOptions:
    """`rate` [Hz] of the arm's; None: with the frames only. `gripper_rate` [Hz]; 0: its joints are in the arm's messages."""

    rate: float | None = None
    best_effort: bool = False
    gripper_rate: float = 0.0
    gripper_joints: tuple[str, ...] = ()  # of a robot whose profile has no gripper
    gripper_clock_offset: float = 0.0  # [s] of its stamps

    @property
    def dense(self) -> bool:
        """Whether the arm's come more often than physics steps."""
        return (self.rate or 0) > PHYSICS_HZ


class JointStreams:
    """Of a simulated arm. Between physics steps the arm is interpolated: real arms are measured more often than this one is computed."""

    def __init__(
        self, node: WmNode, sim: Simulated, robot: RobotProfile, topic: str, options: JointOptions, faults: Faults
    ) -> None:
        """Raises ConfigError for a gripper without joints."""
        self._sim, self._faults, self._options = sim, faults, options
        self.dense = options.dense
        names = sim.joint_state()[0]
        arm = len(sim.kinematics.joint_names)
        self._names = names[:arm] if options.gripper_rate else names
        self._gripper = tuple(robot.gripper.joints) if robot.gripper else options.gripper_joints
        if options.gripper_rate and not self._gripper:
            raise ConfigError(
                f"parameter 'gripper_joints': expected names, robot '{robot.name}' has no gripper; or set gripper_rate to 0"
            )
        reliability = ReliabilityPolicy.BEST_EFFORT if options.best_effort else ReliabilityPolicy.RELIABLE
        qos = QoSProfile(depth=10, history=HistoryPolicy.KEEP_LAST, reliability=reliability)
        self._link = Outgoing(node, JointState, topic, qos)
        self._before: tuple[int, np.ndarray, np.ndarray] | None = None

    def publish(self, now_ns: int) -> None:
        """The arm as it is now."""
        _, position, velocity = self._sim.joint_state()
        self._send(now_ns, position, velocity)

    def stepped(self, now_ns: int) -> None:
        """A physics step was made: what was to be measured since the one before."""
        if not (self.dense or self._options.gripper_rate):
            return
        _, position, velocity = self._sim.joint_state()
        before = self._before
        self._before = now_ns, position, velocity
        if before is None or not 0 < now_ns - before[0] < BREAK_NS:
            return
        if self.dense and self._options.rate is not None:
            for at_ns in instants(before[0], now_ns, self._options.rate):
                share = (at_ns - before[0]) / (now_ns - before[0])
                here = (then + share * (now - then) for then, now in zip(before[1:], (position, velocity), strict=True))
                self._send(at_ns, *here)
        if self._options.gripper_rate:
            for at_ns in instants(before[0], now_ns, self._options.gripper_rate):
                self._send_gripper(at_ns, position)

    def _send(self, at_ns: int, position: np.ndarray, velocity: np.ndarray) -> None:
        stamp, count = to_msg(self._faults.clock_ns(at_ns)), len(self._names)
        message = joint_state_message(stamp, self._names, position[:count], velocity[:count])
        self._link.cut(self._faults.cut(JOINTS, at_ns))
        for out in self._faults.messages("", JOINTS, message, at_ns):
            self._link.publish(out)

    def _send_gripper(self, at_ns: int, position: np.ndarray) -> None:
        """Closed; one that the simulation does not have, at 0."""
        known = dict(zip(self._sim.joint_names, position, strict=True))
        offset_ns = round(1e9 * self._options.gripper_clock_offset)
        places = np.array([known.get(name, 0.0) for name in self._gripper])
        stamp = to_msg(self._faults.clock_ns(at_ns) + offset_ns)
        self._link.publish(joint_state_message(stamp, self._gripper, places, np.zeros(len(places))))


def instants(after_ns: int, until_ns: int, rate: float) -> Iterator[int]:
    """Times [ns] of a clock of `rate` [Hz], later than `after_ns`, up to and with `until_ns`."""
    period_ns = round(1e9 / rate)
    yield from range((after_ns // period_ns + 1) * period_ns, until_ns + 1, period_ns)
