"""wm_episodes: gives goal after goal, scores them with ground truth, and writes the report.

Uses only what any client can use: the PursueGoal action, the simulator's services, and wm's topics.
"""

import math
from pathlib import Path

import numpy as np
from wm_msgs.action import PursueGoal
from wm_msgs.msg import Episode as EpisodeEvent

from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_core.robot import load_robot
from wm_core.task import load_task
from wm_planner.pursuit import DEACTIVATED, E_STOPPED
from wm_sim.world import load_world
from wm_tasks.client import ANSWER_S, Client, ClientError, StopRequestedError, object_goal, run_client
from wm_tasks.latest_picture import announcement, latest_picture
from wm_tasks.monitor import Monitor
from wm_tasks.report import Episode, Run, write_json
from wm_tasks.summary import write_summary
from wm_tasks.video import write_video

SETTLE_CYCLES = 8  # beliefs after a reset before a goal is given
SETTLE_SPREAD = 0.005  # [m] in which the belief must stay for three cycles
SETTLE_S = 15.0
MOST_REFUSALS = 2  # of a goal in a row, each a moment after the one before
SHORTEST_S = 0.2  # [s] of robot time left after an emergency stop for which a goal is given again
WALL_S = 120.0  # [s] for one episode on the wall clock, however slow the machine
INTERRUPTIONS = (E_STOPPED, DEACTIVATED)  # ends of a goal that goes on later
REST_CYCLES = 3  # after the end, before the object is measured


class Episodes(Client):
    NAME = "wm_episodes"

    PARAMETERS = {
        "episodes": 0,  # 0: until stopped
        "seed": 10000,
        "world": "tabletop_block",
        "bundle": "",
        "planner": "",
        "lockstep": False,
    }

    def __init__(self) -> None:
        super().__init__()
        value = self.value
        self.wanted, self.seed, self.lockstep = value["episodes"], value["seed"], value["lockstep"]
        self.report_file = Path(value["report"]) if value["report"] else None
        self.task = load_task(value["task"])
        self.world = load_world(value["world"]).practised(self.task)
        robot = load_robot(value["robot"])
        self.outcome = Run(
            self.world.name,
            value["bundle"],
            value["planner"],
            self.seed,
            self.lockstep,
            self.task.name,
            robot.name,
            self.task.success.distance,
            self.wanted,
        )
        camera = CameraRig.load(rig_path(value["rig"])).in_table_frame(robot).cameras[0]
        self._latest = latest_picture(value["picture"], self.get_logger().warning)
        self._monitor = Monitor(self, self.outcome, camera, self.report_file is not None, self._latest)
        how_many = f"{self.wanted} goal{'s' * (self.wanted > 1)}" if self.wanted else "goal after goal until Ctrl-C"
        doing = f"task {self.task.name} in {self.world.name}: {how_many}, planner {value['planner']}"
        self._announced = announcement(doing, value["no_window"], value["picture"])

    # -- running -------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """All episodes; returns the exit status."""
        self.get_logger().info(self._announced)
        self.wait_for_bringup()
        index = 0
        while not self.wanted or index < self.wanted:
            episode = self._episode(self.seed + index, index)
            self.outcome.episodes.append(episode)
            index += 1
            mark = "reached" if episode.success(self.outcome.distance_m) else "missed "
            self.get_logger().info(
                f"goal {index}{f' of {self.wanted}' if self.wanted else ''}: {mark} {1000 * episode.final_distance_m:5.1f} mm"
                f" in {episode.time_s:4.1f} s, {episode.steps} steps ({episode.message})"
            )
            if not self.wanted:
                del self.outcome.episodes[:-100]  # run for days without growing
                for values in self.outcome.latency_ms.values():
                    del values[:-10000]
                del self.outcome.stages_ms[:-10000]
        return 0

    def _episode(self, seed: int, index: int) -> Episode:
        start, goal = self._start(seed)
        self._announce(EpisodeEvent.BEGIN, seed, goal)
        self._monitor.begin(f"episode {index + 1}  seed {seed}  goal ({goal[0]:.2f}, {goal[1]:.2f})", goal)
        try:
            result = self._pursue_goal(goal)
            self._monitor.end()
            beliefs = self._monitor.beliefs
            self.wait(lambda: self._monitor.beliefs >= beliefs + REST_CYCLES, ANSWER_S, "beliefs after the episode")
            if self._monitor.truth is None:
                raise ClientError("expected ground_truth/object_pose for scoring, none came")
        except (ClientError, StopRequestedError) as error:
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
        outcome = EpisodeEvent.REACHED if episode.success(self.outcome.distance_m) else EpisodeEvent.MISSED
        self._announce(EpisodeEvent.END, seed, goal, outcome, result.message, episode.final_distance_m)
        return episode

    def _start(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """A scene that wm has seen and a goal for it, places (2,) [m]; anew when a node was restarted meanwhile, say the simulator."""
        while True:
            self.wait_for_recovery()
            self.wait_for_reset()
            recoveries = self.recoveries
            start = self.reset_world(seed)
            self._settle()
            if self.recoveries == recoveries:
                return start, self.world.draw_goal(np.random.default_rng([seed, 1]), start)

    def _announce(
        self,
        event: int,
        seed: int,
        goal: np.ndarray,
        outcome: int = EpisodeEvent.UNKNOWN,
        reason: str = "",
        final_distance_m: float = math.nan,
    ) -> None:
        model_id = self._monitor.belief.model_id if self._monitor.belief else ""
        self.announce(
            event, EpisodeEvent.TASK, self.world.name, seed, model_id, goal, outcome, reason, final_distance_m
        )

    def _settle(self) -> None:
        """Wait until wm sees the new scene and is sure of it, from wm's own topics alone."""
        monitor, beliefs = self._monitor, self._monitor.beliefs

        def settled() -> bool:
            if (
                monitor.beliefs < beliefs + SETTLE_CYCLES
                or monitor.belief is None
                or monitor.belief.objects[0].visibility < 0.5
            ):
                return False
            return float(np.ptp(np.array(monitor.recent), axis=0).max()) < SETTLE_SPREAD

        self.wait(settled, SETTLE_S, "a settled belief", fatal=False)

    def _pursue_goal(self, xy: np.ndarray) -> PursueGoal.Result:
        """From the first try to the end, over all emergency stops and restarts of nodes in between: each is a pause, whose time
        does not count."""
        whole = PursueGoal.Result()
        left, refusals = self.task.time_limit, 0
        while True:
            self.wait_for_recovery()
            self.wait_for_reset()
            recoveries, sent = self.recoveries, self.get_clock().now()
            handle = self.send_goal(object_goal(xy), left)
            refusals = 0 if handle.accepted else refusals + 1
            if handle.accepted:
                part = self.result(handle, WALL_S)
                if part is None:
                    passed = (self.interrupted_at - sent).nanoseconds / 1e9
                    part = PursueGoal.Result(message="lost with the planner", duration=min(max(passed, 0.0), left))
                whole.success, whole.message = part.success, part.message
                whole.steps, whole.duration = whole.steps + part.steps, whole.duration + part.duration
                left = self.task.time_limit - whole.duration
                interrupted = part.message in INTERRUPTIONS or self.recoveries > recoveries
                if part.success or not interrupted or left < SHORTEST_S:
                    return whole
            # The planner may hear of a stop or its reset sooner or later than this node, and of its own end sooner.
            self.wait_for_news()
            if refusals > MOST_REFUSALS and not self.paused:
                raise ClientError(f"wm/pursue_goal refused the goal {np.round(xy, 3)}; the planner's log says why")

    # -- ending --------------------------------------------------------------------------------------------------

    def conclude(self) -> None:
        if self._latest is not None:
            self._latest.close()
        self.print_table()
        self.write_report()

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
            if self.outcome.interrupted:
                self.get_logger().info(self.outcome.interrupted)
            return
        document = self.outcome.summary()
        low, high = document["success_interval"]
        median = 1000 * float(np.median([episode.final_distance_m for episode in episodes]))
        latency = document["latency_ms"]["camera_to_command"]
        cpu = document["cpu"]
        stolen = f", {100 * cpu['stolen']:.0f} % of the CPU stolen by the host" if cpu and cpu["stolen"] > 0.01 else ""
        ended = f"{self.outcome.interrupted}: " if self.outcome.interrupted else ""
        self.get_logger().info(
            f"{ended}{self.outcome.successes} of {len(episodes)} {self.outcome.within}"
            f" ({100 * low:.0f}..{100 * high:.0f} %), median {median:.1f} mm,"
            f" camera to command p50 {latency['p50'] or math.nan:.1f} ms p99 {latency['p99'] or math.nan:.1f} ms,"
            f" {self.outcome.deadline_misses} of {self.outcome.cycles} deadlines missed{stolen}"
        )


def main() -> int:
    return run_client(Episodes)


if __name__ == "__main__":
    raise SystemExit(main())
