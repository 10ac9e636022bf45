"""A task in a simulated scene from start to verdict, in one process: noisy truth, tracker, planner, arm."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from wm_core.goal import Goal, GoalError
from wm_core.pose_noise import BY_DEPTH, PoseNoise, noisy
from wm_core.rig import CameraRig
from wm_core.robot import RobotProfile
from wm_core.scene import SceneState
from wm_dynamics.scene_adaptation import SceneAdaptation
from wm_dynamics.scene_model import SceneDynamics, SceneModel
from wm_dynamics.scene_tracker import SceneTracker
from wm_perception.scene.parts import PartsModel
from wm_planner.scene.clearance import box_prisms
from wm_planner.scene.decision import Mode, SceneSettings
from wm_planner.scene.planner import ScenePlanner
from wm_planner.scene.space import region_within
from wm_sim.scene_draw import Episode, draw_episode
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_task import PERIOD, SceneTask
from wm_sim.tool_driver import ToolDriver
from wm_tasks.scenes.sight import CameraSight, SightError
from wm_tasks.scenes.verdict import judge

BESIDE_HEIGHT = 0.03  # [m] of the tip where it begins beside the path of what slides
JUDGED_AFTER = 1.0  # [s] with the hand away

# The displacement (6,) of the tool for the true scene, the tool state (6,) and the goal.
Policy = Callable[[SceneState, np.ndarray, Goal], np.ndarray]


def begin(driver: ToolDriver, drawn: Episode) -> None:
    """The hand where an episode begins."""
    driver.anchor()
    if drawn.hand is not None:
        driver.teleport(np.array([*drawn.hand, BESIDE_HEIGHT, 0.0, 0.0, 0.0]))


@dataclass(frozen=True)
class SceneResult:
    """Of an episode, judged on the truth."""

    seed: int
    success: bool
    declared: bool  # by the planner; without it nothing is a success
    reason: str  # why it gave up
    steps: int
    distance: float  # [m] of the goal at the end
    others: float  # [m] that what has no goal moved at most
    tilted: float  # [rad] the largest tilt of what stood
    plan_ms: tuple[float, ...] = field(repr=False)
    modes: tuple[str, ...] = field(repr=False)


class SceneLoop:
    """A robot in one world; `model`: None for policies alone."""

    def __init__(
        self,
        task: SceneTask,
        model: Callable[[SceneSim], SceneDynamics] | None = None,
        robot: RobotProfile | None = None,
        *,
        settings: SceneSettings | None = None,
        noise: PoseNoise | None = None,
        adapt: bool = True,
        change: Callable[[SceneSim, np.random.Generator], None] | None = None,
        sight: Callable[[SceneState], SceneState] | None = None,
        rig: CameraRig | None = None,
        parts: PartsModel | None = None,
    ) -> None:
        """`adapt`: friction and mass are inferred from how objects move. `change`: what is done to the scene after it was drawn, such as
        another friction. `sight`: what is done to what is seen, in each step: an object whose position is NaN is hidden. `rig`: objects
        are seen by its cameras' depth, in place of the truth with noise; `parts` takes apart those that touch.
        """
        self.task, self.noise = task, noise or (PoseNoise() if rig is None else BY_DEPTH)
        self.sim = SceneSim(task.world, robot, rig=rig)
        self.driver = ToolDriver(self.sim, PERIOD)
        self._camera = None if rig is None else CameraSight(self.sim, rig, parts)
        self._fixtures = box_prisms(task.world.fixture_boxes)
        self._change, self._adapt, self._sight = change, adapt, sight or (lambda seen: seen)
        self._model = None if model is None else model(self.sim)
        given = settings or SceneSettings()
        weights = task.weights or given.weights
        self._settings = replace(given, weights=weights, axes=task.axes)

    def close(self) -> None:
        self.sim.close()

    def episode(self, seed: int, policy: Policy | None = None, watch: Callable[..., None] | None = None) -> SceneResult:
        """One episode; `policy`: acts on the truth in the planner's place; `watch(sim, belief, decision)`: at each step."""
        drawn = draw_episode(self.task, self.sim, seed)
        rng = np.random.default_rng([seed, 78])
        if self._change is not None:
            self._change(self.sim, rng)
        begin(self.driver, drawn)
        for slot, velocity in drawn.velocity.items():
            self.sim.push(slot, velocity)
        steps = round(self.task.time_limit / PERIOD)
        if policy is not None:
            return self._by_policy(drawn, seed, policy, steps)
        return self._planned(drawn, seed, rng, steps, watch)

    # -- inside --------------------------------------------------------------------------------------------------

    def _planned(
        self, drawn: Episode, seed: int, rng: np.random.Generator, steps: int, watch: Callable[..., None] | None
    ) -> SceneResult:
        assert self._model is not None, "expected a model to plan with"
        learned = self._model if isinstance(self._model, SceneModel) else None
        tracker = SceneTracker(learned, self.noise, PERIOD)
        adaptation = SceneAdaptation(learned) if learned is not None and self._adapt else None
        lower, upper = self.driver.lower, self.driver.upper
        region = region_within(lower, upper)
        planner = ScenePlanner(
            self._model,
            self.sim.hand,
            lower,
            upper,
            region,
            self._settings,
            fixtures=self._fixtures,
            reaches=self.sim.kinematics.reaches,
            seed=seed,
        )
        move = before = np.zeros(6)
        tool = self.driver.commanded.values
        times: list[float] = []
        modes: list[str] = []
        taken = 0
        declared, reason = False, "timeout"
        try:
            seen = None if self._camera is None else self._camera.begin(tool)
        except SightError as error:
            return self._judged(drawn, seed, False, str(error), 0, times, modes)
        for step in range(steps):
            if adaptation is not None and step:
                tracker.adopt(adaptation.update(tracker.belief, tool, move, before))
            expected = None
            if self._camera is None:
                seen = noisy(self.sim.scene, self.noise, rng)
            elif step:
                expected = tracker.expected(tool, move, before)
                seen = self._camera.look(self.driver.commanded.values, expected)
            assert seen is not None
            belief = tracker.update(self._sight(seen), tool, move, before, expected)
            tool, before = self.driver.commanded.values, move
            if planner.aim is None:
                try:
                    planner.pursue(drawn.goal, belief)
                except GoalError as error:
                    return self._judged(drawn, seed, False, f"refused: {error}", 0, times, modes)
            decision = planner.plan(belief, tool, before)
            times.append(decision.plan_ms)
            modes.append(decision.mode.value)
            if watch is not None:
                watch(self.sim, belief, decision)
            taken = step + 1
            if decision.mode in (Mode.DONE, Mode.FAILED):
                declared, reason = decision.mode is Mode.DONE, decision.reason
                break
            move = self.driver.move(decision.move)
        return self._judged(drawn, seed, declared, "" if declared else reason, taken, times, modes)

    def _by_policy(self, drawn: Episode, seed: int, policy: Policy, steps: int) -> SceneResult:
        for step in range(steps):
            move = policy(self.sim.scene, self.driver.commanded.values, drawn.goal)
            if not np.isfinite(move).all():  # it says that it is done
                return self._judged(drawn, seed, True, "", step, [], [])
            self.driver.move(move)
        return self._judged(drawn, seed, True, "", steps, [], [])

    def _judged(
        self, drawn: Episode, seed: int, declared: bool, reason: str, steps: int, times: list[float], modes: list[str]
    ) -> SceneResult:
        """By the truth, a second later, with the hand away."""
        away = self.driver.commanded.values
        for _ in range(round(JUDGED_AFTER / PERIOD)):
            up = np.zeros(6)
            up[2] = min(0.03, max(0.0, away[2] + 0.1 - self.driver.commanded.values[2]))
            self.driver.move(up)
        found = judge(self.task, drawn.goal, drawn.start, self.sim.scene)
        return SceneResult(
            seed,
            declared and found.met,
            declared,
            reason,
            steps,
            found.distance,
            found.others,
            found.tilted,
            tuple(times),
            tuple(modes),
        )
