"""wm_scene_episodes: a task in scene after scene through the running nodes, judged on the simulator's truth, with a report."""

from pathlib import Path
from typing import Any

from wm_msgs.msg import Episode as EpisodeEvent
from wm_msgs.msg import Goal, ObjectStates

from wm_core.conversions import scene_state
from wm_core.goal import GoalError
from wm_core.goal_messages import scene_goal
from wm_core.qos import LATCHED, STATE
from wm_core.scene import SceneState
from wm_sim.scene_task import load_scene_task
from wm_tasks.client import ANSWER_S, StopRequestedError, run_client
from wm_tasks.report import wilson, write_json
from wm_tasks.scene_client import SceneClient
from wm_tasks.scenes.seen_goal import goal_as_seen
from wm_tasks.scenes.verdict import judge

SETTLE_CYCLES = 8  # beliefs after a reset before the goal is given: noise is averaged meanwhile
JUDGED_AFTER = 10  # messages of the truth, a second, after the planner says that it is done
SEEING = {
    "truth": "the simulator's truth with 3 mm and 3 degrees of noise (perception:=truth)",
    "geometry": "the cameras' depth (perception:=geometry)",
}


class SceneEpisodes(SceneClient):
    """One episode for each seed. A success is what the planner declares and the truth confirms a second later."""

    NAME = "wm_scene_episodes"
    PARAMETERS = {
        "episodes": 0,
        "seed": 10000,
        "task": "push_place",
        "bundle": "",
        "planner": "",
        "lockstep": False,
        "perception": "truth",
    }

    def __init__(self) -> None:
        super().__init__()
        self.task = load_scene_task(self.value["task"])
        self.seeing = SEEING[self.value["perception"]]
        self.report_file = Path(self.value["report"]) if self.value["report"] else None
        self.rows: list[dict[str, Any]] = []
        self._truth: SceneState | None = None
        self._truths = self._goals_heard = 0  # that came
        self._goal: Goal | None = None
        self.create_subscription(ObjectStates, "ground_truth/objects", self._on_truth, STATE)
        self.create_subscription(Goal, "ground_truth/goal", self._on_goal, LATCHED)

    def run(self) -> int:
        self.get_logger().info(f"task {self.task.name} in {self.task.world.name}; objects are known by {self.seeing}")
        self.wait_for_bringup()
        index, wanted = 0, self.value["episodes"]
        while not wanted or index < wanted:
            row = self._episode(self.value["seed"] + index)
            self.rows.append(row)
            index += 1
            mark = "done  " if row["success"] else "missed"
            of = f" of {wanted}" if wanted else ""
            self.get_logger().info(
                f"episode {index}{of}: {mark} {1000 * row['distance_m']:5.1f} mm in {row['time_s']:4.1f} s ({row['message']})"
            )
        return 0

    def conclude(self) -> None:
        if not self.rows:
            return
        won = sum(row["success"] for row in self.rows)
        low, high = wilson(won, len(self.rows))
        self.get_logger().info(f"{won} of {len(self.rows)} done ({100 * low:.0f}..{100 * high:.0f} %), {self.seeing}")
        if self.report_file is not None:
            document = {name: self.value[name] for name in ("robot", "bundle", "planner", "lockstep", "seed")}
            document |= {"task": self.task.name, "world": self.task.world.name, "perception": self.seeing}
            document |= {"successes": won, "success_interval": [low, high], "episodes": self.rows}
            write_json(document, self.report_file)

    # -- inside --------------------------------------------------------------------------------------------------

    def _episode(self, seed: int) -> dict[str, Any]:
        self.wait_for_reset()
        goals, truths, beliefs = self._goals_heard, self._truths, self.beliefs
        self.reset_world(seed)
        self.wait(
            lambda: self._goals_heard > goals and self._truths > truths, ANSWER_S, "ground_truth/goal and objects"
        )
        self.wait(lambda: self.beliefs >= beliefs + SETTLE_CYCLES, ANSWER_S, "beliefs after the reset")
        assert self._goal is not None and self._truth is not None
        start, message = self._truth.position[:, :2].copy(), self._goal
        goal = scene_goal(message, self.frame, self.task.success.tolerance, self.task.success.yaw_tolerance)
        truth = self._truth
        name = self.task.world.name
        self.announce(EpisodeEvent.BEGIN, EpisodeEvent.TASK, name, seed, "", None)
        try:
            pursuit = self.pursue(goal_as_seen(goal, truth, self.objects()), self.task.time_limit)
            result = pursuit.result
            declared, said, steps, time_s = result.success, result.message, result.steps, result.duration
        except GoalError as error:
            declared, said, steps, time_s = False, f"refused: {error}", 0, 0.0
        except StopRequestedError:
            self.announce(
                EpisodeEvent.END, EpisodeEvent.TASK, name, seed, "", None, EpisodeEvent.ABORTED, "stopped by the user"
            )
            raise
        truths = self._truths
        self.wait(lambda: self._truths >= truths + JUDGED_AFTER, ANSWER_S, "the truth a second later")
        verdict = judge(self.task, goal, start, self._truth)
        success = bool(declared and verdict.met)
        outcome = EpisodeEvent.REACHED if success else EpisodeEvent.MISSED
        self.announce(EpisodeEvent.END, EpisodeEvent.TASK, name, seed, "", None, outcome, said, verdict.distance)
        return {
            "seed": seed,
            "success": success,
            "declared": bool(declared),
            "message": said,
            "steps": int(steps),
            "time_s": round(float(time_s), 2),
            "distance_m": round(verdict.distance, 5),
            "others_m": round(verdict.others, 5),
            "tilt_rad": round(verdict.tilted, 3),
        }

    def _on_truth(self, message: ObjectStates) -> None:
        self._truth = scene_state(message.objects)
        self._truths += 1

    def _on_goal(self, message: Goal) -> None:
        self._goal = message
        self._goals_heard += 1


def main() -> int:
    return run_client(SceneEpisodes)


if __name__ == "__main__":
    raise SystemExit(main())
