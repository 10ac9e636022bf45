"""The PursueGoal action and its plain services: one goal at a time, a new one preempts the old one.

What begins and ends is published on `wm/goal`, so that a recording can be replayed: its stamp says between which beliefs.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from wm_msgs.action import PursueGoal
from wm_msgs.msg import Goal as GoalMessage
from wm_msgs.msg import GoalEvent
from wm_msgs.srv import SetGoal

from wm_core.goal import Goal, GoalError
from wm_core.lifecycle import WmNode
from wm_core.qos import STATE
from wm_planner.goal import Progress

E_STOPPED = "emergency stop"  # how a goal ends that one has ended
DEACTIVATED = "the planner was deactivated"


class Pursuit:
    """Keeps the goal being pursued; the node's belief callback drives it, so nothing here blocks."""

    def __init__(
        self,
        node: WmNode,
        accept: Callable[[GoalMessage], Goal],
        default_timeout: float,
        cycles: int,
        answered: Callable[[], Header],
        model_id: Callable[[], str],
    ) -> None:
        """`accept` checks a goal message and raises GoalError; `cycles`: within the tolerance until it is reached.
        `answered`: the header of the newest belief that was answered."""
        self._node = node
        self._accept = accept
        self._default_timeout = default_timeout
        self._cycles = cycles
        self._answered = answered
        self._model_id = model_id
        self._message = GoalMessage()
        self._handle: ServerGoalHandle | None = None
        self._done: Future | None = None
        self.progress: Progress | None = None
        self._distances: dict[str, float] = {}
        self.on_start: Callable[[], None] = lambda: None
        self._server = ActionServer(
            node,
            PursueGoal,
            "wm/pursue_goal",
            self._execute,
            goal_callback=self._on_goal,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            handle_accepted_callback=self._on_accepted,
        )
        self._events = node.publisher(GoalEvent, "wm/goal", STATE)
        node.service(SetGoal, "wm/set_goal", self._on_set_goal)
        node.service(Trigger, "wm/cancel_goal", self._on_cancel_service)

    def destroy(self) -> None:
        self.end("the planner shuts down")
        self._server.destroy()

    # -- driven by the node --------------------------------------------------------------------------------------

    def cancel_requested(self) -> bool:
        return self._handle is not None and self._handle.is_cancel_requested

    def feedback(
        self, cost: float, uncertainty: float, mode: str = "", distances: Mapping[str, float] | None = None
    ) -> None:
        """`distances` [m] of each object of a goal about several, by name; the result has them too."""
        self._distances = dict(distances or {})
        if self._handle is not None and self.progress is not None and self._handle.is_active:
            self._handle.publish_feedback(
                PursueGoal.Feedback(
                    distance=self.progress.distance,
                    cost=cost,
                    uncertainty=uncertainty,
                    steps=self.progress.steps,
                    mode=mode,
                    objects=list(self._distances),
                    distances=list(self._distances.values()),
                )
            )

    def end(self, message: str, success: bool = False) -> None:
        """Finish the goal being pursued, if any."""
        progress, handle, done = self.progress, self._handle, self._done
        self.progress = self._handle = self._done = None
        if progress is None:
            return
        # Exploring has no place to be at a distance from.
        place = f" at {1000 * progress.distance:.1f} mm" if math.isfinite(progress.distance) else ""
        self._node.get_logger().info(f"goal ended: {message}{place} after {progress.steps} steps")
        self._tell(GoalEvent.END, progress.timeout, success, message)
        if handle is None or done is None:
            return
        result = PursueGoal.Result(
            success=success,
            message=message,
            final_distance=progress.distance,
            steps=progress.steps,
            duration=progress.duration,
            objects=list(self._distances),
            distances=list(self._distances.values()),
        )
        if handle.is_cancel_requested:
            handle.canceled()
        elif success:
            handle.succeed()
        else:
            handle.abort()
        done.set_result(result)

    # -- action --------------------------------------------------------------------------------------------------

    def _on_goal(self, request: PursueGoal.Goal) -> GoalResponse:
        try:
            if not self._node.active:
                raise GoalError("the planner is not active; activate it first")
            self._accept(request.goal)
        except GoalError as error:
            self._node.get_logger().warning(f"goal refused: {error}")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _on_accepted(self, handle: ServerGoalHandle) -> None:
        self._begin(handle.request.goal, handle.request.timeout)
        self._handle, self._done = handle, Future()
        handle.execute()

    async def _execute(self, handle: ServerGoalHandle) -> PursueGoal.Result:
        done = self._done
        if done is None:  # ended between acceptance and execution
            handle.abort()
            return PursueGoal.Result(success=False, message="preempted")
        return await done

    # -- services ------------------------------------------------------------------------------------------------

    def _on_set_goal(self, request: SetGoal.Request, response: SetGoal.Response) -> SetGoal.Response:
        if not self._node.active:
            raise GoalError("the planner is not active; activate it first")
        self._begin(request.goal, 0.0)
        response.success, response.message = True, "pursuing"
        return response

    def _on_cancel_service(self, request: Any, response: Trigger.Response) -> Trigger.Response:
        response.success = self.progress is not None
        response.message = "cancelled" if response.success else "no goal was being pursued"
        self.end("cancelled")
        return response

    def _begin(self, message: GoalMessage, timeout: float) -> None:
        goal = self._accept(message)
        self.end("preempted")
        self._message, self._distances = message, {}
        self.progress = Progress(goal, timeout if timeout > 0 else self._default_timeout, self._cycles)
        self.on_start()
        self._tell(GoalEvent.BEGIN, self.progress.timeout)

    def _tell(self, event: int, timeout: float, success: bool = False, message: str = "") -> None:
        self._events.publish(
            GoalEvent(
                header=self._answered(),
                event=event,
                model_id=self._model_id(),
                goal=self._message,
                timeout=timeout,
                success=success,
                message=message,
            )
        )
