"""wm_perception for scenes in simulation: where objects are by the simulator's truth, with noise. It sees nothing.

In place of perception's node, with its name and its topics, as `perception:=truth` says; whoever reports of such a run names it.
"""

import math
from pathlib import Path

import numpy as np
from sensor_msgs.msg import JointState
from wm_msgs.msg import ObjectStates, Observation

from wm_core.conversions import object_messages, scene_state, tool_message
from wm_core.joint_states import Fingers, Others
from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.lifecycle import OK, WARN, WmNode
from wm_core.node_process import run
from wm_core.params import Param
from wm_core.paths import bundles_dir
from wm_core.pose_noise import PoseNoise, noisy
from wm_core.qos import STATE
from wm_core.robot_source import ROBOT, ROBOT_RETIRED, robot_of
from wm_core.scene import SceneState
from wm_core.scene_bundle import bundle_facts
from wm_core.stamps import to_ns
from wm_perception.sync import JointHistory

SEEN = 0.5  # visibility above which an object is reported


class TruthNode(WmNode):
    """One observation for each message of the simulator's truth, with the joint state of the same instant."""

    PARAMETERS = (
        Param("bundle", "", "bundle of scenes, for its id; empty: the shipped one"),
        *ROBOT,
        Param("joint_topic", "", "joint states of the arm; empty: as the robot's profile says"),
        Param("joint_tolerance", 0.06, "[s] largest distance between truth and the joint state used", 0.0, 1.0),
        Param("position_noise", PoseNoise.position, "[m] standard deviation in each axis", 0.0, 0.1),
        Param("rotation_noise", round(PoseNoise.rotation, 4), "[rad] standard deviation about each axis", 0.0, 1.0),
        Param("seed", 0, "seed of the noise, which depends on it and on the stamp alone", 0, 2**31),
    )
    RETIRED = ROBOT_RETIRED

    def __init__(self, **kwargs: object) -> None:
        super().__init__("wm_perception", **kwargs)

    def setup(self) -> None:
        self._robot = robot_of(self)
        self._others, self._kinematics = Others(self._robot), Kinematics(self._robot)
        self._model_id, _ = bundle_facts(Path(self.value("bundle") or bundles_dir() / "scene"))
        self._noise = PoseNoise(self.value("position_noise"), self.value("rotation_noise"))
        self._joints = JointHistory()
        self._waiting: ObjectStates | None = None  # for its joint state
        self._fingers = Fingers(self._robot)
        self._observations = self.publisher(Observation, "wm/observation", STATE)
        # Joint states first: the executor serves what has arrived in this order.
        joints = self.value("joint_topic") or self._robot.joint_topic
        self._joint_topic = self.subscribe_offered(JointState, joints, self._on_joints).topic_name
        self.subscribe(ObjectStates, "ground_truth/objects", self._on_truth, STATE)
        self.every(1.0, self._report, wall=True)
        self.get_logger().warning(
            "perception:=truth: objects are where the simulator has them, with noise; no camera is looked at"
        )

    def start(self) -> None:
        self._joints.clear()
        self._waiting = None

    def _on_joints(self, message: JointState) -> None:
        self._fingers.heard(message.name, message.position)
        if self._others.alone(message.name):
            return
        try:
            q = self._kinematics.arm_joints(message.name, message.position)
        except KinematicsError as error:
            self.reject("bad_joint_state", f"{self._joint_topic}: {error}")
            return
        self._joints.add(to_ns(message.header.stamp), np.append(q, self._fingers.opening))
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self._on_truth(waiting)

    def _on_truth(self, message: ObjectStates) -> None:
        stamp_ns = to_ns(message.header.stamp)
        joints = self._joints.nearest(stamp_ns, round(1e9 * self.value("joint_tolerance")))
        if joints is None or (self.simulated_time and (self._joints.newest_ns or 0) < stamp_ns):
            self._waiting = message
            return
        visible = np.array([each.visibility > SEEN for each in message.objects])
        scene = self._seen(scene_state(message.objects), visible, stamp_ns)
        tool = self._kinematics.tool(joints[:-1])
        tool.values[-1] = joints[-1]
        self._observations.publish(
            Observation(
                header=message.header,
                model_id=self._model_id,
                objects=object_messages(scene, visible.astype(float)),
                observed_fraction=1.0,
                tool=tool_message(tool),
            )
        )
        self.counts["observations"] += 1

    def _seen(self, truth: SceneState, visible: np.ndarray, stamp_ns: int) -> SceneState:
        """With noise; what is hidden has no place."""
        scene = noisy(truth, self._noise, np.random.default_rng([self.value("seed"), stamp_ns]))
        scene.position[~visible] = math.nan
        scene.variance[:, :3], scene.variance[:, 3:6] = self._noise.variance
        return scene

    def _report(self) -> None:
        seen = self.counts["observations"]
        self.diagnose(
            OK if seen else WARN,
            "truth with noise" if seen else "no truth yet",
            model_id=self._model_id,
            **self.record(),
        )


def main() -> int:
    return run(TruthNode)


if __name__ == "__main__":
    raise SystemExit(main())
