"""A client of a running wm that plans for scenes: what lies there, goals about it, and what comes of them.

from wm_core.goal import PoseGoal
from wm_tasks.scene_client import connected

with connected() as wm:
    print(wm.objects().identities)
    pursuit = wm.pursue(PoseGoal({"x": 0.5, "y": 0.1, "yaw": 0.0}, 0.02, 0.1, "mug"), timeout_s=30.0)
    for progress in pursuit:
        print(progress.mode, dict(zip(progress.objects, progress.distances)))
    print(pursuit.result.message)
"""

from collections.abc import Iterator
from contextlib import contextmanager

import rclpy
from rclpy.action.client import ClientGoalHandle
from wm_msgs.action import PursueGoal
from wm_msgs.msg import Belief

from wm_core.conversions import scene_state
from wm_core.goal import Goal, GoalError
from wm_core.goal_messages import scene_goal_message
from wm_core.qos import STATE
from wm_core.scene import SceneState
from wm_tasks.client import ANSWER_S, Client

WALL_S = 600.0  # [s] that a goal may take, however slow the machine


class Pursuit:
    """A goal that is being pursued: iterate over its progress, then `result` says what came of it."""

    def __init__(self, client: "SceneClient", handle: ClientGoalHandle) -> None:
        self._client, self._handle = client, handle
        self._future = handle.get_result_async()

    def __iter__(self) -> Iterator[PursueGoal.Feedback]:
        """Each progress as it comes, until the goal has ended."""
        while not self._future.done():
            self._client.wait(lambda: bool(self._client.news) or self._future.done(), WALL_S, "progress of the goal")
            while self._client.news:
                yield self._client.news.pop(0)

    @property
    def result(self) -> PursueGoal.Result:
        """What came of it; waits for the end."""
        return self._client.answer(self._future, WALL_S, "the result of wm/pursue_goal").result

    def cancel(self) -> None:
        """The arm stops; the result says so."""
        self._client.answer(self._handle.cancel_goal_async(), ANSWER_S, "cancelling the goal")


class SceneClient(Client):
    """See `connected`."""

    NAME = "wm_scene_client"

    def __init__(self) -> None:
        super().__init__()
        self.news: list[PursueGoal.Feedback] = []
        self._belief: Belief | None = None
        self.beliefs = 0  # that came
        self.create_subscription(Belief, "wm/belief", self._on_belief, STATE)

    def objects(self) -> SceneState:
        """What is believed now; waits for the first belief. Raises ClientError where none comes."""
        self.wait(lambda: self._belief is not None, ANSWER_S, "wm/belief")
        assert self._belief is not None
        return scene_state(self._belief.objects)

    def pursue(self, goal: Goal, timeout_s: float = 0.0) -> Pursuit:
        """Begin; it takes the place of the goal before. `timeout_s` 0: the planner's. Raises GoalError where it is refused."""
        self.news.clear()
        handle = self.send_goal(scene_goal_message(goal), timeout_s, lambda message: self.news.append(message.feedback))
        if not handle.accepted:
            raise GoalError("the planner refuses this goal; its log says why")
        return Pursuit(self, handle)

    def _on_belief(self, message: Belief) -> None:
        self._belief = message
        self.beliefs += 1


@contextmanager
def connected() -> Iterator[SceneClient]:
    """A client beside a wm that is running; in the namespace and the domain of the environment."""
    rclpy.init()
    client = SceneClient()
    try:
        client.wait_for_bringup()
        yield client
    finally:
        client.destroy_node()
        rclpy.try_shutdown()
