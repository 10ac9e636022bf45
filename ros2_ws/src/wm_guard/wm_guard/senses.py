"""What the guard hears of the arm's surroundings: beliefs about objects, the distance of people, efforts of joints."""

from collections.abc import Callable

import numpy as np
from sensor_msgs.msg import JointState, Range
from wm_msgs.msg import Belief

from wm_core.kinematics import Kinematics
from wm_core.lifecycle import WmNode
from wm_core.params import Param
from wm_core.qos import NEWEST, SENSOR
from wm_core.rotations import pose_of, rotation_of_quaternion
from wm_guard.contact import Contact, Thresholds
from wm_guard.limits import Limits
from wm_guard.people import People, Separation
from wm_guard.surroundings import Surroundings

PARAMETERS = (
    Param("collision_margin", 0.01, "[m] Kept between links, to objects and to what the profile keeps out", 0.001, 0.2),
    Param("table_margin", 0.003, "[m] Kept between tool and table", 0.0005, 0.1),
    Param("belief_topic", "wm/belief", "Objects that all links but the tool's keep away from; empty: none"),
    Param("person_topic", "wm/person_distance", "sensor_msgs/Range: distance of the nearest person to the arm"),
    Param("person_required", False, "Whether the arm stays where it is until the distance of people is known"),
    Param("person_timeout", 0.5, "[s] After which a silent sensor counts as a person beside the arm", 0.02, 10.0),
    Param("person_speed", Separation.person_speed, "[m/s] Towards the arm", 0.1, 5.0),
    Param("reaction_time", Separation.reaction_time, "[s] From the sensor to the first deceleration", 0.01, 2.0),
    Param("intrusion", Separation.intrusion, "[m] Reach of a person and uncertainty of both positions", 0.0, 2.0),
    Param("contact_effort", Thresholds.share, "Share of each joint's effort limit that says contact", 0.05, 10.0),
    Param("contact_rise", Thresholds.rise, "The same above the effort's slow mean", 0.05, 10.0),
)


class Senses:
    """Keeps `surroundings`, and says `touched(text)` when the arm's efforts say contact."""

    def __init__(
        self,
        node: WmNode,
        kinematics: Kinematics,
        limits: Limits,
        now: Callable[[], int],
        touched: Callable[[str], None],
    ) -> None:
        """Declares nothing: the node has PARAMETERS. `now`: node time [ns]."""
        separation = Separation(
            node.value("person_speed"), node.value("reaction_time"), intrusion=node.value("intrusion")
        )
        people = People(separation, required=node.value("person_required"), timeout=node.value("person_timeout"))
        self.surroundings = Surroundings(
            kinematics,
            limits,
            people,
            margin=node.value("collision_margin"),
            table_margin=node.value("table_margin"),
        )
        thresholds = Thresholds(node.value("contact_effort"), node.value("contact_rise"))
        self.contact = Contact(kinematics.effort, kinematics.joint_names, thresholds)
        self._names, self._frame = kinematics.joint_names, kinematics.robot.table_frame
        self._node, self._now, self._touched = node, now, touched
        if topic := node.value("belief_topic"):
            node.subscribe(Belief, topic, self._on_belief, NEWEST)
        node.subscribe(Range, node.value("person_topic"), self._on_person, SENSOR)

    def joint_state(self, message: JointState, stamp_ns: int) -> None:
        """One that is believed."""
        if len(message.effort) != len(message.name):
            return
        efforts = dict(zip(message.name, message.effort, strict=True))
        if text := self.contact.observe(np.array([efforts[name] for name in self._names]), stamp_ns):
            self._touched(text)

    def _on_belief(self, message: Belief) -> None:
        if message.header.frame_id != self._frame:
            self._node.reject("belief_frame", f"expected beliefs in '{self._frame}', got '{message.header.frame_id}'")
            return
        shown = [each for each in message.objects if each.presence > 0.5]
        poses = []
        for each in shown:
            p, q = each.pose.position, each.pose.orientation
            poses.append(pose_of(rotation_of_quaternion(q.x, q.y, q.z, q.w), [p.x, p.y, p.z]))
        sizes = np.array([[each.size.x, each.size.y, each.size.z] for each in shown]).reshape(-1, 3)
        stds = np.array([each.pose_std[:3] for each in shown]).reshape(-1, 3)
        self.surroundings.believe([each.id for each in shown], poses, sizes, stds)

    def _on_person(self, message: Range) -> None:
        self.surroundings.people.observe(message.range, self._now())
