"""One real node under replay: its own process, its own namespace, one step after the other."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node as RosNode
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger
from wm_msgs.action import PursueGoal
from wm_msgs.msg import GoalEvent
from wm_msgs.srv import PrepareBundle, UseBundle

from wm_bags.replay.node_steps import Role, Step
from wm_bags.replay.recorded import Recorded
from wm_bringup.embedded import Runner
from wm_bringup.graph_parts import Graph, Node, middleware
from wm_core.qos import LATCHED
from wm_core.services import await_answers

APPEAR_S = 60.0
TRANSITION_S = 120.0  # configuring loads models, on a machine that is busy with other work
SETTLE_S = 60.0  # for one step, however busy the machine is
ANSWER_S = 5.0  # from when a node has taken in what it was given until its answers are here; a planner may wait before
ATTEMPTS = 5  # to give it images: camera topics may lose some
E_STOPPED = "wm/e_stopped"
DEPTH = QoSProfile(depth=100)  # reliable: nothing that is sent or answered is lost in a queue here


class NodeError(RuntimeError):
    """A node that cannot be replayed: says which, and why."""


class ReplayedNode:
    """Feeds one node, and takes its answers."""

    def __init__(
        self, me: RosNode, executor: SingleThreadedExecutor, role: Role, kinds: Mapping[str, type], prefix: str
    ) -> None:
        """`kinds`: the class of each topic. The node's namespace is `prefix` and its name."""
        self.role, self._kinds = role, kinds
        self._me, self._executor = me, executor
        self.namespace = f"{prefix}/{role.node}"
        self._answers: list[Recorded] = []
        topics = [topic for topic in sorted(role.inputs | {role.trigger} - {""}) if topic in kinds]
        self._publishers = {
            topic: me.create_publisher(
                kinds[topic], f"{self.namespace}/{topic}", LATCHED if topic == E_STOPPED else DEPTH
            )
            for topic in topics
        }
        outputs = sorted(topic for topic in role.outputs | {role.events} if topic in kinds)
        self._subscriptions = [self._listen(topic) for topic in outputs]
        name = f"{self.namespace}/{role.node}"
        self._change = me.create_client(ChangeState, f"{name}/change_state")
        self._prepare = me.create_client(PrepareBundle, f"{name}/prepare_bundle")
        self._use = me.create_client(UseBundle, f"{name}/use_bundle")
        self._pursue = ActionClient(me, PursueGoal, f"{self.namespace}/wm/pursue_goal") if role.events else None
        self._cancel = me.create_client(Trigger, f"{self.namespace}/wm/cancel_goal")
        self._state = me.create_client(GetState, f"{name}/get_state")  # last: see await_answers

    def _listen(self, topic: str) -> Subscription:
        def take(data: Any) -> None:
            self._answers.append(Recorded(topic, time.time_ns(), data))

        return self._me.create_subscription(self._kinds[topic], f"{self.namespace}/{topic}", take, DEPTH, raw=True)

    # -- its process ---------------------------------------------------------------------------------------------

    @contextmanager
    def process(self, parameters: Mapping[str, Any], files: Sequence[Any]) -> Iterator[None]:
        """The node runs, unconfigured; `files`: parameter files that come first."""
        name = self.role.node
        node = Node(name, name, f"{name}.node", name, dict(parameters))
        self._runner = Runner(Graph((node,), tuple(files), self.namespace.strip("/"), "warn", middleware()))
        with self._runner.started():
            yield

    def bring_up(self) -> None:
        """Configure and activate it; raises NodeError."""
        name = self.role.node
        if not await_answers(self._state, self._spin, APPEAR_S, lambda: bool(self._runner.ended())):
            raise NodeError(f"{name} did not appear within {APPEAR_S:.0f} s; look for its error above")
        for label in ("configure", "activate"):
            number = getattr(Transition, f"TRANSITION_{label.upper()}")
            answer = self._ask(self._change, ChangeState.Request(transition=Transition(id=number)), TRANSITION_S)
            if not answer.success:
                raise NodeError(f"{name} could not {label}; its own error above says why")
        self._until(self._connected, APPEAR_S, "to be connected to what it is given")

    def _connected(self) -> bool:
        """Whether everything that will be sent is heard, and everything that is answered is heard here."""
        return all(publisher.get_subscription_count() for publisher in self._publishers.values()) and all(
            subscription.get_publisher_count() for subscription in self._subscriptions
        )

    # -- steps ---------------------------------------------------------------------------------------------------

    def run(self, step: Step) -> list[Recorded]:
        """Give the node what it was given in a step; returns all that it has answered to this and to earlier measurements.

        Where the next images came while it was busy, it has them already and may answer these too: that waits for its step.
        """
        wanted = {message.topic for message in step.expected}
        for _ in range(1 if step.trigger else ATTEMPTS):  # a trigger is reliable: what it does not bring never comes
            self._feed(step.inputs)
            if step.trigger is not None:
                self._publishers[step.trigger.topic].publish(step.trigger.data)
            self.settle()
            if self._await(wanted, step.stamp_ns):
                break
        for event in step.events:
            self._happen(deserialize_message(event.data, GoalEvent))
        answers = [answer for answer in self._answers if answer.stamp_ns <= step.stamp_ns]
        self._answers = [answer for answer in self._answers if answer.stamp_ns > step.stamp_ns]
        return answers

    def rest(self) -> list[Recorded]:
        """What it answered to measurements that no step was about."""
        return self._answers

    def _feed(self, messages: Sequence[Recorded]) -> None:
        """One message after the other has its effect; the images of an instant are one."""
        sent: set[str] = set()
        for message in messages:
            if message.topic not in self._publishers:
                continue
            if message.topic in sent:
                self.settle()
                sent.clear()
            self._publishers[message.topic].publish(message.data)
            sent.add(message.topic)
            if self._kinds[message.topic] not in (Image, CameraInfo):
                self.settle()

    def settle(self) -> None:
        """Until the node has taken in all that was sent: see wm_bags/replay/consumers.py."""
        if not await_answers(self._state, self._spin, SETTLE_S, lambda: bool(self._runner.ended())):
            raise NodeError(f"{self.role.node} has not answered for {SETTLE_S:.0f} s; look for its error above")

    def _happen(self, event: GoalEvent) -> None:
        """Begin or cancel a goal where that was recorded; all other ends come by themselves."""
        before = self._answered()
        if event.event == GoalEvent.BEGIN:
            assert self._pursue is not None
            self._until(self._pursue.server_is_ready, APPEAR_S, "to offer wm/pursue_goal")
            goal = self._pursue.send_goal_async(PursueGoal.Goal(goal=event.goal, timeout=event.timeout))
            self._until(goal.done, APPEAR_S, "to answer a goal")
            if goal.result().accepted:
                self._until(lambda: self._answered() > before, APPEAR_S, "to begin a goal")
        elif event.message == "cancelled":
            self._ask(self._cancel, Trigger.Request(), APPEAR_S)
        self.settle()

    def _answered(self) -> int:
        """Number of events that it answered."""
        return sum(answer.topic == self.role.events for answer in self._answers)

    def swap(self, folder: str, model_id: str) -> None:
        """Have another bundle ready, and use it from the next measurement on."""
        answer = self._ask(self._prepare, PrepareBundle.Request(folder=folder), TRANSITION_S)
        if not answer.success or answer.model_id != model_id:
            raise NodeError(
                f"{self.role.node}: expected {model_id} in {folder}, got {answer.model_id} {answer.message}"
            )
        if not self.role.trigger:  # the nodes that follow change with the first message of the new bundle
            self._ask(self._use, UseBundle.Request(model_id=model_id), APPEAR_S)

    # -- waiting -------------------------------------------------------------------------------------------------

    def _await(self, topics: set[str], stamp_ns: int) -> bool:
        deadline = time.monotonic() + ANSWER_S
        while not topics <= {answer.topic for answer in self._answers if answer.stamp_ns == stamp_ns}:
            if time.monotonic() > deadline:
                return False
            self._spin(0.1)
        return True

    def _ask(self, client: Any, request: Any, seconds: float) -> Any:
        future = client.call_async(request)
        self._until(future.done, seconds, f"to answer {client.srv_name}")
        return future.result()

    def _until(self, condition: Any, seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if self._runner.ended():
                raise NodeError(f"{self.role.node} ended; its own error above says why")
            if time.monotonic() > deadline:
                raise NodeError(f"waited {seconds:.0f} s for {self.role.node} {what}")
            self._spin(0.1)

    def _spin(self, seconds: float) -> None:
        self._executor.spin_once(timeout_sec=seconds)
