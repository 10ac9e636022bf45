"""wm_episodes: gives goal after goal, scores them with ground truth, and writes the report.

Uses only what any client can use: the PursueGoal action, the simulator's services, and wm's topics.
"""

import math
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import Point
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import Header, String
from wm_msgs.action import PursueGoal
from wm_msgs.msg import Episode as EpisodeEvent
from wm_msgs.msg import Goal
from wm_msgs.srv import ResetWorld

from wm_bringup.monitor import Monitor
from wm_bringup.report import Episode, Run, write_json
from wm_bringup.summary import write_summary
from wm_bringup.video import write_video
from wm_core.lifecycle import ignore_stop_signals
from wm_core.paths import rig_path
from wm_core.qos import LATCHED, STATE
from wm_core.rig import CameraRig
from wm_sim.world import load_world

BRINGUP_S = 120.0
ANSWER_S = 20.0  # until a service answers
BASE_FRAME = "panda_link0"
REACHED_M = 0.02  # [m] from the goal, by ground truth
SETTLE_CYCLES = 8  # beliefs after a reset before a goal is given
SETTLE_SPREAD = 0.005  # [m] in which the belief must stay for three cycles
SETTLE_S = 15.0
EPISODE_S = 10.0  # [s] of robot time
WALL_S = 120.0  # [s] for one episode on the wall clock, however slow the machine
REST_CYCLES = 3  # after the end, before the object is measured


class EpisodeError(RuntimeError):
    """An episode that could not be run."""


class StopRequestedError(Exception):
    """The user asked for the end."""


class Episodes(Node):
    def __init__(self) -> None:
        super().__init__("wm_episodes")
        defaults = {
            "episodes": 0,
            "seed": 10000,
            "world": "tabletop_block",
            "rig": "two_cameras",
            "report": "",
            "bundle": "",
            "planner": "",
            "lockstep": False,
        }
        for name, default in defaults.items():
            self.declare_parameter(name, default)
        value = {name: self.get_parameter(name).value for name in defaults}
        self.wanted, self.seed, self.lockstep = value["episodes"], value["seed"], value["lockstep"]
        self.report_file = Path(value["report"]) if value["report"] else None
        self.world = load_world(value["world"])
        self.outcome = Run(self.world.name, value["bundle"], value["planner"], self.seed, self.lockstep)
        self.stopping = False
        self._bringup = ""
        self._reset = self.create_client(ResetWorld, "sim/reset")
        self._pursue = ActionClient(self, PursueGoal, "wm/pursue_goal")
        # One executor for the whole run: rclpy.spin_once would set one up again at every call.
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._announcements = self.create_publisher(EpisodeEvent, "wm/episode", STATE)
        self.create_subscription(String, "wm/bringup", self._on_bringup, LATCHED)
        camera = CameraRig.load(rig_path(value["rig"])).cameras[0].name
        self._monitor = Monitor(self, self.outcome, camera, pictures=self.report_file is not None)

    def _on_bringup(self, message: String) -> None:
        self._bringup = message.data

    # -- running -------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """All episodes; returns the exit status."""
        self._wait(lambda: self._bringup == "active" or self._bringup.startswith("failed"), BRINGUP_S, "bring-up")
        if self._bringup != "active":
            raise EpisodeError(f"bring-up {self._bringup}")
        index = 0
        while not self.wanted or index < self.wanted:
            episode = self._episode(self.seed + index, index)
            self.outcome.episodes.append(episode)
            index += 1
            mark = "reached" if episode.success(REACHED_M) else "missed "
            self.get_logger().info(
                f"goal {index}{f' of {self.wanted}' if self.wanted else ''}: {mark} {1000 * episode.final_distance_m:5.1f} mm"
                f" in {episode.time_s:4.1f} s, {episode.steps} steps ({episode.message})"
            )
            if not self.wanted:
                del self.outcome.episodes[:-100]  # run for days without growing
                for values in self.outcome.latency_ms.values():
                    del values[:-10000]
        return 0

    def _episode(self, seed: int, index: int) -> Episode:
        start = self._reset_world(seed)
        goal = self.world.draw_goal(np.random.default_rng([seed, 1]), start)
        self._settle()
        self._announce(EpisodeEvent.BEGIN, seed, goal)
        self._monitor.begin(f"episode {index + 1}  seed {seed}  goal ({goal[0]:.2f}, {goal[1]:.2f})")
        try:
            result = self._pursue_goal(goal)
            self._monitor.end()
            beliefs = self._monitor.beliefs
            self._wait(lambda: self._monitor.beliefs >= beliefs + REST_CYCLES, ANSWER_S, "beliefs after the episode")
            if self._monitor.truth is None:
                raise EpisodeError("expected ground_truth/object_pose for scoring, none came")
        except (EpisodeError, StopRequestedError) as error:
            self._announce(EpisodeEvent.END, seed, goal, EpisodeEvent.ABORTED, str(error) or "stopped by the user")
            raise
        episode = Episode(
            seed,
            [round(float(v), 4) for v in start],
            [round(float(v), 4) for v in goal],
            round(float(np.linalg.norm(self._monitor.truth - goal)), 5),
            result.steps,
            round(result.duration, 3),
            result.message,
            self._monitor.path,
        )
        outcome = EpisodeEvent.REACHED if episode.success(REACHED_M) else EpisodeEvent.MISSED
        self._announce(EpisodeEvent.END, seed, goal, outcome, result.message, episode.final_distance_m)
        return episode

    def _announce(
        self,
        event: int,
        seed: int,
        goal: np.ndarray,
        outcome: int = EpisodeEvent.UNKNOWN,
        reason: str = "",
        final_distance_m: float = math.nan,
    ) -> None:
        self._announcements.publish(
            EpisodeEvent(
                header=Header(stamp=self.get_clock().now().to_msg(), frame_id=BASE_FRAME),
                event=event,
                purpose=EpisodeEvent.TASK,
                world=self.world.name,
                seed=seed,
                model_id=self._monitor.belief.model_id if self._monitor.belief else "",
                goal=Point(x=float(goal[0]), y=float(goal[1]), z=0.0),
                outcome=outcome,
                reason=reason,
                final_distance=final_distance_m,
            )
        )

    def _reset_world(self, seed: int) -> np.ndarray:
        if not self._reset.wait_for_service(timeout_sec=ANSWER_S):
            raise EpisodeError("expected the service sim/reset, it did not appear")
        response = self._answer(self._reset.call_async(ResetWorld.Request(seed=seed)), ANSWER_S, "sim/reset")
        if not response.success:
            raise EpisodeError(f"sim/reset: {response.message}")
        return np.array([response.object.position.x, response.object.position.y])

    def _settle(self) -> None:
        """Wait until wm sees the new scene and is sure of it, from wm's own topics alone."""
        monitor, beliefs = self._monitor, self._monitor.beliefs

        def settled() -> bool:
            if monitor.beliefs < beliefs + SETTLE_CYCLES or monitor.belief is None or monitor.belief.visibility < 0.5:
                return False
            return float(np.ptp(np.array(monitor.recent), axis=0).max()) < SETTLE_SPREAD

        self._wait(settled, SETTLE_S, "a settled belief", fatal=False)

    def _pursue_goal(self, xy: np.ndarray) -> PursueGoal.Result:
        if not self._pursue.wait_for_server(timeout_sec=ANSWER_S):
            raise EpisodeError("expected the action wm/pursue_goal, it did not appear")
        goal = PursueGoal.Goal(goal=Goal(kind=Goal.OBJECT_POSE), timeout=EPISODE_S)
        goal.goal.object_pose.header.frame_id = BASE_FRAME
        goal.goal.object_pose.pose.position.x, goal.goal.object_pose.pose.position.y = map(float, xy)
        goal.goal.object_pose.pose.orientation.w = 1.0
        handle = self._answer(self._pursue.send_goal_async(goal), ANSWER_S, "wm/pursue_goal")
        if not handle.accepted:
            raise EpisodeError(f"wm/pursue_goal refused the goal {np.round(xy, 3)}; the planner's log says why")
        return self._answer(handle.get_result_async(), WALL_S, "the result of wm/pursue_goal").result

    def _answer(self, future: rclpy.task.Future, seconds: float, what: str) -> Any:
        self._wait(future.done, seconds, what)
        return future.result()

    def _wait(self, condition: Callable[[], bool], seconds: float, what: str, fatal: bool = True) -> None:
        """Spin until a condition holds; wall clock, so that it ends even when simulated time stands still."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.stopping:
                raise StopRequestedError
            if time.monotonic() > deadline:
                if fatal:
                    raise EpisodeError(f"waited {seconds:.0f} s for {what}")
                self.get_logger().warning(f"waited {seconds:.0f} s for {what}, going on")
                return
            self._executor.spin_once(timeout_sec=0.05)

    # -- ending --------------------------------------------------------------------------------------------------

    def write_report(self) -> None:
        """JSON, PNG and MP4 of what was run; nothing without a report file or episodes."""
        if self.report_file is None or not self.outcome.episodes:
            return
        write_json(self.outcome.summary(), self.report_file)
        write_summary(self.outcome, self.report_file.with_suffix(".png"))
        if self._monitor.shots:
            write_video(self._monitor.shots, self.report_file.with_suffix(".mp4"))
        self.get_logger().info(f"report written to {self.report_file}")

    def print_table(self) -> None:
        episodes = self.outcome.episodes
        if not episodes:
            return
        good = sum(episode.success(REACHED_M) for episode in episodes)
        document = self.outcome.summary()
        low, high = document["success_interval_2cm"]
        median = 1000 * float(np.median([episode.final_distance_m for episode in episodes]))
        latency = document["latency_ms"]["camera_to_command"]
        cpu = document["cpu"]
        stolen = f", {100 * cpu['stolen']:.0f} % of the CPU stolen by the host" if cpu and cpu["stolen"] > 0.01 else ""
        self.get_logger().info(
            f"{good} of {len(episodes)} within 2 cm ({100 * low:.0f}..{100 * high:.0f} %), median {median:.1f} mm,"
            f" camera to command p50 {latency['p50'] or math.nan:.1f} ms p99 {latency['p99'] or math.nan:.1f} ms,"
            f" {self.outcome.deadline_misses} of {self.outcome.cycles} deadlines missed{stolen}"
        )


def main() -> int:
    rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    try:
        node = Episodes()
    except ValueError as error:
        print(f"wm_episodes: {error}", flush=True)
        return 1

    def stop(number: int, frame: object) -> None:
        node.stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    status = 0
    try:
        node.run()
    except StopRequestedError:
        status = 1 if node.wanted else 0  # asked for N episodes, not all ran
    except EpisodeError as error:
        node.get_logger().error(str(error))
        status = 1
    finally:
        ignore_stop_signals()
        node.print_table()
        node.write_report()
        node.destroy_node()
        rclpy.try_shutdown()
    return status


if __name__ == "__main__":
    raise SystemExit(main())
