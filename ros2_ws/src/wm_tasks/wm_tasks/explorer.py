"""wm_explorer: collects data without supervision: explores, pushes the object back to the middle, and helps itself.

Like wm_episodes a client of the planner's action and of topics; announces every stretch on wm/episode, so that a recording is a dataset.
"""

import time
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseStamped
from wm_msgs.action import PursueGoal
from wm_msgs.msg import Belief, Episode, Goal, Intervention

from wm_core.conversions import object_xy
from wm_core.paths import rig_path
from wm_core.qos import STATE
from wm_core.rig import CameraRig
from wm_core.stamps import to_ns
from wm_core.steady import steady_clock
from wm_core.task import load_task
from wm_sim.world import load_world
from wm_tasks.client import ANSWER_S, NEWS_S, Client, ClientError, object_goal, run_client
from wm_tasks.exploring import RETURN_TOLERANCE, ExplorerCore, Kind, Order, Scene
from wm_tasks.exploring_report import ExploringReport
from wm_tasks.latest_picture import announcement, latest_picture
from wm_tasks.report import versions, write_json
from wm_tasks.views import Views

SETTLE_CYCLES = 5  # beliefs after a reset before the next goal
SCENE_S = 10.0  # [s] of wall clock in which they come
WALL_FACTOR = 20.0  # wall clock per robot time, however slow the machine
LATE_S = 60.0  # [s] of wall clock without a belief after which something is broken
SAY_S = 60.0  # [s] of robot time between two lines about how it goes
RESTARTED = "a node was restarted"  # why a goal is broken off
PURPOSE = {Kind.EXPLORE: Episode.EXPLORATION, Kind.RETURN: Episode.RETURN}


class Explorer(Client):
    NAME = "wm_explorer"

    PARAMETERS = {
        "minutes": 0.0,  # of robot time; 0: until stopped
        "explore_s": 20.0,  # [s] of robot time for one exploration
        "reset": True,  # in simulation: the first scene is drawn, and a lost object put back; false: stop and ask
    }

    def __init__(self) -> None:
        super().__init__()
        value = self.value
        self._minutes, self._seed, self._may_reset = value["minutes"], value["seed"], value["reset"]
        self._world = load_world(value["world"]).name if value["world"] else ""
        self._report_file = Path(value["report"]) if value["report"] else None
        self._latest = latest_picture(value["picture"], self.get_logger().warning)
        self._views = Views(self, CameraRig.load(rig_path(value["rig"])).cameras[0]) if self._latest else None
        how_long = f"for {self._minutes:g} min" if self._minutes else "until Ctrl-C"
        doing = f"exploring {self._world or 'what lies on the table'} {how_long}"
        self._announced = announcement(doing, value["no_window"], value["picture"])
        self._core = ExplorerCore(load_task(value["task"]).exploring, self._seed, value["explore_s"])
        self.report = ExploringReport()
        self._belief: Belief | None = None
        self._beliefs = 0
        self._truth: np.ndarray | None = None
        self._drawn_with = -1  # the seed of the present scene
        self._trouble = ""  # what a person should know
        self._warned = ""
        self._said_s = 0.0
        self.create_subscription(Belief, "wm/belief", self._on_belief, STATE)
        self.create_subscription(PoseStamped, "ground_truth/object_pose", self._on_truth, STATE)
        self.create_subscription(Intervention, "wm/intervention", self._on_intervention, STATE)
        self._diagnostics = self.create_publisher(DiagnosticArray, "diagnostics", STATE)
        self.create_timer(1.0, self._diagnose, clock=steady_clock())

    # -- running -------------------------------------------------------------------------------------------------

    def run(self) -> int:
        self.get_logger().info(self._announced)
        self.wait_for_bringup()
        if self._may_reset:
            self._draw_scene()
        self._next_beliefs(1)
        while not self._minutes or self.report.robot_s < 60 * self._minutes:
            self.wait_for_recovery()
            self.wait_for_start()
            order = self._core.next(self._scene())
            self._trouble = order.reason if order.kind in (Kind.RESCUE, Kind.PAUSE) else ""
            if order.kind is Kind.PAUSE:
                self._say(order.reason)
                self._pass_time(order.seconds)
            elif order.kind is Kind.RESCUE:
                self._rescue(order.reason)
            else:
                self._pursue(order)
        return 0

    def _pursue(self, order: Order) -> None:
        """One goal from beginning to end; the last one ends with the time that is wanted."""
        left = 60 * self._minutes - self.report.robot_s if self._minutes else order.seconds
        goal = Goal(kind=Goal.EXPLORE) if order.xy is None else object_goal(order.xy, RETURN_TOLERANCE)
        seconds = max(1.0, min(order.seconds, left))
        handle = self.send_goal(goal, seconds)
        if not handle.accepted:
            self._core.refused()
            self.report.refused += 1
            return
        done = handle.get_result_async()
        broken_off, recoveries = "", self.recoveries
        model_id = self._belief.model_id if self._belief else ""
        self._tell(Episode.BEGIN, order, model_id)
        self.report.begin(order.kind)
        try:
            deadline = time.monotonic() + WALL_FACTOR * seconds + LATE_S
            while not done.done():
                count = self._beliefs
                news = lambda: done.done() or self._beliefs > count or self.recoveries > recoveries  # noqa: B023, E731 (called here)
                self.wait(news, LATE_S, "a belief")
                if self.recoveries > recoveries:
                    broken_off = broken_off or RESTARTED
                    handle.cancel_goal_async()
                    self.spin_for(NEWS_S, done.done)
                    break
                if not broken_off and (broken_off := self._core.breaks_off(order, self._scene())):
                    handle.cancel_goal_async()
                self.wait(lambda: time.monotonic() < deadline, 0.0, "the end of a goal")
        except BaseException as error:
            self._tell(Episode.END, order, model_id, Episode.ABORTED, str(error) or "stopped by the user")
            raise
        finally:
            self.report.end()
        result = done.result().result if done.done() else PursueGoal.Result()  # lost with the planner
        outcome = Episode.REACHED if result.success else Episode.ABORTED if broken_off else Episode.MISSED
        self._tell(Episode.END, order, model_id, outcome, broken_off or result.message)
        self._core.ended(order)
        self.report.ended(order.kind, result.success, broken_off)
        if not result.success and not broken_off and result.steps <= 1:
            self._core.refused()  # e.g. an emergency stop: do not try again at once
        self._say_how_it_goes()

    def _rescue(self, reason: str) -> None:
        """Somebody must put the object back: the simulator, or a person."""
        if self._trouble != self._warned:
            self.get_logger().warning(
                f"{reason}; " + ("resetting the scene" if self._may_reset else "put it back to the middle of the table")
            )
            self.report.losses += 1
        self._warned = self._trouble
        if not self._may_reset:
            self._pass_time(1.0)
            return
        self.report.resets += 1
        self._draw_scene()
        self._warned = ""
        self._core.rescued()

    def _draw_scene(self) -> None:
        """A start drawn by the simulator, seen and believed.

        In lockstep an observation that is published before everybody listens stops all, and another scene starts it again.
        """
        self._drawn_with = self._seed + self.report.resets
        for _ in range(round(LATE_S / SCENE_S)):
            self.reset_world(self._drawn_with)
            wanted, deadline = self._beliefs + SETTLE_CYCLES, time.monotonic() + SCENE_S
            self.wait(lambda: self._beliefs >= wanted or time.monotonic() > deadline, LATE_S, "beliefs")  # noqa: B023 (called here)
            if self._beliefs >= wanted:
                return
        raise ClientError(
            f"expected beliefs after sim/reset, none came for {LATE_S:.0f} s; see the diagnostics of all nodes"
        )

    def _tell(self, event: int, order: Order, model_id: str, outcome: int = Episode.UNKNOWN, reason: str = "") -> None:
        known = event == Episode.END and order.xy is not None and self._truth is not None
        distance = float(np.linalg.norm(self._truth - order.xy)) if known else float("nan")  # type: ignore[operator]
        self.announce(
            event, PURPOSE[order.kind], self._world, self._drawn_with, model_id, order.xy, outcome, reason, distance
        )

    # -- waiting -------------------------------------------------------------------------------------------------

    def _scene(self) -> Scene:
        belief = self._belief
        if belief is None:
            raise RuntimeError("expected a belief")
        return Scene(object_xy(belief.objects), belief.objects[0].time_unseen, self.e_stopped)

    def _next_beliefs(self, count: int) -> None:
        wanted = self._beliefs + count
        self.wait(lambda: self._beliefs >= wanted, LATE_S, "beliefs")

    def _pass_time(self, seconds: float) -> None:
        """Robot time, but no longer than that on the wall: the arm may be switched off."""
        until, deadline = self.report.robot_s + seconds, time.monotonic() + seconds
        self.wait(lambda: self.report.robot_s >= until or time.monotonic() > deadline, seconds + ANSWER_S, "time")

    # -- inputs --------------------------------------------------------------------------------------------------

    def _on_belief(self, message: Belief) -> None:
        if not message.objects:
            return
        self._belief = message
        self._beliefs += 1
        self.report.add(to_ns(message.header.stamp), object_xy(message.objects), message.objects[0].time_unseen == 0)
        self._show()

    def _show(self) -> None:
        if self._latest is not None and self._views is not None and self._latest.wants:
            shot = self._views.shot(f"exploring  {self.report.robot_s / 60:.1f} min")
            if shot is not None:
                self._latest.show(shot)

    def _on_truth(self, message: PoseStamped) -> None:
        self._truth = np.array([message.pose.position.x, message.pose.position.y])

    def _on_intervention(self, message: Intervention) -> None:
        self.report.interventions += 1

    # -- saying how it goes --------------------------------------------------------------------------------------

    def _say(self, what: str) -> None:
        """A line, unless it was the last one."""
        if what != self._warned:
            self.get_logger().warning(what)
        self._warned = what

    def _say_how_it_goes(self) -> None:
        self._warned = ""
        if self.report.robot_s - self._said_s >= SAY_S:
            self._said_s = self.report.robot_s
            self.get_logger().info(self.report.line())

    def _diagnose(self) -> None:
        level = DiagnosticStatus.ERROR if self._trouble else DiagnosticStatus.OK
        values = [KeyValue(key=key, value=str(value)) for key, value in self.report.document().items()]
        status = DiagnosticStatus(
            level=level, name=self.NAME, message=self._trouble or "exploring", hardware_id="wm", values=values
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)

    def conclude(self) -> None:
        if self._latest is not None:
            self._latest.close()
        self.get_logger().info(self.report.line())
        if self._report_file is not None:
            settings = {"world": self._world, "seed": self._seed, "minutes_wanted": self._minutes}
            write_json({**self.report.document(), **settings, "versions": versions()}, self._report_file)
            self.get_logger().info(f"report written to {self._report_file}")


def main() -> int:
    return run_client(Explorer)


if __name__ == "__main__":
    raise SystemExit(main())
