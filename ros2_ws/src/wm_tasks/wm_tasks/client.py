"""What the clients of a running wm share: waiting, goals, the simulator's services, and announcing episodes."""

import math
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import Point
from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import Bool, Header, String
from wm_msgs.action import PursueGoal
from wm_msgs.msg import Episode, Goal, GuardState
from wm_msgs.srv import ResetWorld

from wm_core.given_parameters import check_types, refuse_unknown
from wm_core.launched import die_with_launcher
from wm_core.node_process import ignore_stop_signals
from wm_core.qos import LATCHED, STATE
from wm_core.robot import DEFAULT_ROBOT, load_robot
from wm_core.task import DEFAULT_TASK
from wm_guard.permission import NOT_STARTED

BRINGUP_S = 120.0
NEWS_S = 1.0  # until what happened has been heard of
ANSWER_S = 20.0  # until a service answers
TRIES = 4  # to get an answer within that time
# Parameters of every client, and their defaults.
SHARED: Mapping[str, Any] = {
    "robot": DEFAULT_ROBOT,
    "task": DEFAULT_TASK,
    "world": "",  # simulated; empty: a robot
    "rig": "two_cameras",  # whose first camera is shown
    "seed": 0,
    "report": "",
    "no_window": "",  # why the simulator has none; empty: it has one
    "picture": "",  # the PNG file that shows what is going on; empty: none
}


class ClientError(RuntimeError):
    """What was asked for could not be done."""


class StopRequestedError(Exception):
    """The user asked for the end."""


class Client(Node):
    """A node that uses only what any client can use: the PursueGoal action, the simulator's services, and wm's topics."""

    NAME = ""  # of the node
    PARAMETERS: Mapping[str, Any] = {}  # with their defaults; besides SHARED, or with another default than there

    def __init__(self) -> None:
        super().__init__(self.NAME)
        declared = {**SHARED, **self.PARAMETERS}
        check_types(self, declared)
        self.value = {name: self.declare_parameter(name, default).value for name, default in declared.items()}
        refuse_unknown(self, {})
        self.frame = load_robot(self.value["robot"]).table_frame  # of all positions
        self.stopping = False
        self.e_stopped = False
        self.recoveries = 0  # times that wm had to restart a node
        self.interrupted_at = self.get_clock().now()  # by the last of them
        self._bringup = ""
        self._resets = self.create_client(ResetWorld, "sim/reset")
        self._goals = ActionClient(self, PursueGoal, "wm/pursue_goal")
        # One executor for the whole run: rclpy.spin_once would set one up again at every call.
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._announcements = self.create_publisher(Episode, "wm/episode", STATE)
        self.create_subscription(String, "wm/bringup", self._on_bringup, LATCHED)
        self.create_subscription(Bool, "wm/e_stopped", self._on_e_stopped, LATCHED)
        self._guard: GuardState | None = None
        self.create_subscription(GuardState, "wm/guard_state", self._on_guard, LATCHED)

    def _on_bringup(self, message: String) -> None:
        if self._bringup == "active" and message.data != "active":
            self.recoveries += 1
            self.interrupted_at = self.get_clock().now()
        self._bringup = message.data

    @property
    def paused(self) -> bool:
        """Whether the arm stands still for a while: an emergency stop, or a node that is being restarted."""
        return self.e_stopped or (self.recoveries > 0 and self._bringup != "active")

    @property
    def latched(self) -> str:
        """Why the guard keeps the arm stopped until it is cleared; empty where it does not."""
        if self._guard is None or self._guard.state != GuardState.STOPPED or self.e_stopped:
            return ""
        return self._guard.text or ", ".join(self._guard.reasons)

    def _on_e_stopped(self, message: Bool) -> None:
        self.e_stopped = message.data

    def _on_guard(self, message: GuardState) -> None:
        self._guard = message

    def run(self) -> int:
        """The work; returns the exit status."""
        raise NotImplementedError

    def conclude(self) -> None:
        """Whatever happened: say what came of it."""
        raise NotImplementedError

    # -- for subclasses ------------------------------------------------------------------------------------------

    def wait(self, condition: Callable[[], bool], seconds: float, what: str, fatal: bool = True) -> None:
        """Spin until a condition holds; wall clock, so that it ends even when simulated time stands still.

        The time of an emergency stop or of a node's restart does not count: it is a pause. Raises StopRequestedError when the user
        asks for the end, ClientError (if `fatal`) when time is over.
        """
        last = time.monotonic()
        left = seconds
        while not condition():
            if self.stopping:
                raise StopRequestedError
            now = time.monotonic()
            left -= 0.0 if self.paused else now - last
            last = now
            if left < 0:
                if fatal:
                    raise ClientError(f"waited {seconds:.0f} s for {what}")
                self.get_logger().warning(f"waited {seconds:.0f} s for {what}, going on")
                return
            self._executor.spin_once(timeout_sec=0.05)

    def answer(self, future: rclpy.task.Future, seconds: float, what: str) -> Any:
        """The result of a future; raises as `wait`."""
        self.wait(future.done, seconds, what)
        return future.result()

    def wait_for_reset(self) -> None:
        """As long as the emergency stop is set, or the guard keeps the arm stopped until a person clears it; else returns at once."""
        if self.e_stopped:
            self.get_logger().warning("emergency stop: paused; call wm/e_stop_reset to go on")
            self.wait(lambda: not self.e_stopped, math.inf, "the reset of the emergency stop")
            self.get_logger().info("emergency stop reset: going on")
        if why := self.latched:
            self.get_logger().warning(
                f"the guard has stopped the arm: {why}; paused; call wm/clear (./wm clear) to go on"
            )
            self.wait(lambda: not self.latched, math.inf, "wm/clear")
            self.get_logger().info("the guard is cleared: going on")

    def wait_for_start(self) -> None:
        """Until a person has started the arm; returns at once when it is."""
        self.spin_for(NEWS_S, lambda: self._guard is not None)
        if self._guard is not None and NOT_STARTED in self._guard.reasons:
            self.get_logger().info("the arm is not started: call wm/start (./wm start)")
            self.wait(lambda: self._guard is not None and NOT_STARTED not in self._guard.reasons, math.inf, "wm/start")

    def wait_for_recovery(self) -> None:
        """As long as a node is being restarted; returns at once when none is."""
        if self.recoveries > 0 and self._bringup != "active":
            self.get_logger().warning(f"{self._bringup}: paused")
            self.wait(lambda: self._bringup == "active", math.inf, "the recovery of wm")
            self.get_logger().info("all nodes are active again: going on")

    def wait_for_news(self) -> None:
        """Spin for a moment, unless the pause is known of already: its news may come after what it caused."""
        self.spin_for(NEWS_S, lambda: self.paused)

    def spin_for(self, seconds: float, enough: Callable[[], bool]) -> None:
        """At most this long, or until it is enough."""
        deadline = time.monotonic() + seconds
        self.wait(lambda: enough() or time.monotonic() > deadline, seconds + ANSWER_S, "the end of a moment")

    def wait_for_bringup(self) -> None:
        """Until all nodes are active; raises ClientError when that failed."""
        self.wait(lambda: self._bringup == "active" or self._bringup.startswith("failed"), BRINGUP_S, "bring-up")
        if self._bringup != "active":
            raise ClientError(f"bring-up {self._bringup}")

    def reset_world(self, seed: int) -> np.ndarray:
        """A start drawn with `seed`, where the object is (2,) [m]; raises ClientError."""
        if not self._resets.wait_for_service(timeout_sec=ANSWER_S):
            raise ClientError("expected the service sim/reset, it did not appear")
        while True:
            recoveries = self.recoveries
            response = self._ask(lambda: self._resets.call_async(ResetWorld.Request(seed=seed)), "sim/reset")
            if response.success:
                return np.array([response.object.position.x, response.object.position.y])
            self.wait_for_news()
            if recoveries == self.recoveries:
                raise ClientError(f"sim/reset: {response.message}")
            self.wait_for_recovery()

    def send_goal(
        self, goal: Goal, timeout_s: float, on_progress: Callable[[Any], None] | None = None
    ) -> ClientGoalHandle:
        """The handle of a goal, accepted or not; `timeout_s` of robot time; `on_progress` gets messages with a `feedback`."""
        if not self._goals.wait_for_server(timeout_sec=ANSWER_S):
            raise ClientError("expected the action wm/pursue_goal, it did not appear")
        request = PursueGoal.Goal(goal=goal, timeout=timeout_s)
        return self._ask(lambda: self._goals.send_goal_async(request, on_progress), "wm/pursue_goal")

    def result(self, handle: ClientGoalHandle, seconds: float) -> PursueGoal.Result | None:
        """What became of an accepted goal. It is cancelled when wm restarts a node; None: it was lost with the planner."""
        future, recoveries = handle.get_result_async(), self.recoveries
        self.wait(lambda: future.done() or self.recoveries > recoveries, seconds, "the result of wm/pursue_goal")
        if not future.done():
            handle.cancel_goal_async()
            self.spin_for(NEWS_S, future.done)
        return future.result().result if future.done() else None

    def _ask(self, call: Callable[[], rclpy.task.Future], what: str) -> Any:
        """The answer to a call. A question to a node that died since is lost, and so it is asked again."""
        for _ in range(TRIES):
            future = call()
            self.wait(future.done, ANSWER_S / TRIES, f"an answer of {what}", fatal=False)
            if future.done():
                return future.result()
        raise ClientError(f"waited {ANSWER_S:.0f} s for {what}")

    def announce(
        self,
        event: int,
        purpose: int,
        world: str,
        seed: int,
        model_id: str,
        goal: np.ndarray | None,
        outcome: int = Episode.UNKNOWN,
        reason: str = "",
        final_distance_m: float = math.nan,
    ) -> None:
        """An episode begins or ends, see wm_msgs/Episode."""
        x, y = (math.nan, math.nan) if goal is None else map(float, goal)
        self._announcements.publish(
            Episode(
                header=Header(stamp=self.get_clock().now().to_msg(), frame_id=self.frame),
                event=event,
                purpose=purpose,
                world=world,
                seed=seed,
                model_id=model_id,
                goal=Point(x=x, y=y, z=0.0),
                outcome=outcome,
                reason=reason,
                final_distance=final_distance_m,
            )
        )


def object_goal(xy: np.ndarray, tolerance_m: float = 0.0, frame: str = "") -> Goal:
    """Bring the object to `xy` (2,) [m] in `frame`, empty: the table frame of the planner, whatever its name is.

    Tolerance 0: the planner's default.
    """
    goal = Goal(kind=Goal.OBJECT_POSE, tolerance=tolerance_m)
    goal.object_pose.header.frame_id = frame
    goal.object_pose.pose.position.x, goal.object_pose.pose.position.y = map(float, xy)
    goal.object_pose.pose.orientation.w = 1.0
    return goal


def run_client(kind: type[Client]) -> int:
    """Run a client until its end or a signal; returns the exit status: an end that the user asked for is no failure."""
    die_with_launcher(clean=True)  # it has a report to write
    rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    try:
        client = kind()
    except ValueError as error:
        print(f"{kind.NAME}: {error}", flush=True)
        return 1

    def stop(number: int, frame: object) -> None:
        client.stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    status = 0
    try:
        status = client.run()
    except StopRequestedError:
        pass
    except ClientError as error:
        client.get_logger().error(str(error))
        status = 1
    finally:
        ignore_stop_signals()
        client.conclude()
        client.destroy_node()
        rclpy.try_shutdown()
    return status
