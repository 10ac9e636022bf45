"""Predictive sampling in MuJoCo, the planner that a user could pick in wm's place (after Howell et al. 2022, MJPC, and judo).

It is given meshes, masses, frictions and the true poses. Each cycle it rolls out noisy splines around its last plan and
takes the best.
"""

import time
from dataclasses import replace

import numpy as np
from _mujoco_scene import TIMESTEP, MujocoScene, controls
from mujoco import rollout

from wm_core.goal import Goal, PoseGoal
from wm_core.hand import OPENING
from wm_core.outline import turned
from wm_core.scene import SceneState
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_task import PERIOD

SAMPLES, HORIZON, KNOTS = 48, 10, 4  # rollouts, steps of 0.1 s, knots of a spline
SPREAD = np.array([0.4, 0.4, 0.3, 0.2])  # of knots, as shares of the largest displacement: x, y, z, yaw
SLOWED = 0.6  # share of the largest displacement: faster pushes slide
BEHIND = 0.03  # [m] from an object's middle, beyond its radius, to where it is best pushed from
NEAR, KEPT, LOW, WORK = 0.15, 3.0, 0.2, 0.02  # weights; [m] of the tip where it works
ENOUGH, HELD, AWAY = 0.65, 5, 0.1  # share of a tolerance, cycles for which it holds, [m] that the hand rises then


class PredictiveSampling:
    """A policy: (true scene, tool state (6,), goal) -> displacement (6,), NaN when it is done. One for each episode."""

    def __init__(self, sim: SceneSim, lower: np.ndarray, upper: np.ndarray, limit: np.ndarray, seed: int) -> None:
        self._sim, self._lower, self._upper, self._limit = sim, lower, upper, SLOWED * limit
        self._rng = np.random.default_rng(seed)
        self._scene: MujocoScene | None = None
        self._plan = np.zeros((KNOTS, 4))
        self._reached, self._start = 0, np.zeros((0, 2))
        self.plan_ms: list[float] = []

    def __call__(self, scene: SceneState, tool: np.ndarray, goal: Goal) -> np.ndarray:
        if self._scene is None:
            self._scene, self._start = MujocoScene(self._sim), scene.position[:, :2].copy()
        began = time.perf_counter()
        goals = [each for each in goal.parts if isinstance(each, PoseGoal)]
        within = all(_tightened(each).reached(scene) for each in goals)
        self._reached = self._reached + 1 if within else 0
        move = np.zeros(6)
        if self._reached > HELD:
            move[2] = min(self._limit[2], max(AWAY - tool[2], 0.0))
            return move if move[2] > 1e-3 else np.full(6, np.nan)
        move[:4] = self._search(self._scene, scene, tool, goals)
        move[OPENING] = -self._limit[OPENING]
        self.plan_ms.append(1e3 * (time.perf_counter() - began))
        return move

    def _search(self, made: MujocoScene, scene: SceneState, tool: np.ndarray, goals: list[PoseGoal]) -> np.ndarray:
        knots = self._plan + self._rng.normal(size=(SAMPLES, KNOTS, 4)) * SPREAD * self._limit[:4]
        knots[0] = self._plan
        knots = np.clip(knots, -self._limit[:4], self._limit[:4])
        moves = _spline(knots)
        tools = np.zeros((SAMPLES, HORIZON, 6))
        tools[..., :4] = tool[:4] + np.cumsum(moves, 1)
        tools[..., OPENING] = tool[OPENING] - self._limit[OPENING] * np.arange(1, HORIZON + 1)  # fingers close
        tools = np.clip(tools, self._lower, self._upper)
        every = round(PERIOD / TIMESTEP)
        before = np.concatenate([np.broadcast_to(tool, (SAMPLES, 1, 6)), tools[:, :-1]], 1)
        shares = (np.arange(every) + 1)[:, None] / every
        path = before[:, :, None] + (tools - before)[:, :, None] * shares
        start = np.tile(made.state(scene, tool), (SAMPLES, 1))
        states, _ = rollout.rollout(made.model, [made._data], start, controls(path.reshape(SAMPLES, -1, 6)))
        cost = self._cost(scene, made.scene(scene.identities, states[:, every - 1 :: every]), tools, goals)
        best = int(np.argmin(cost))
        self._plan = _shifted(knots[best])
        return np.clip(tools[best, 0, :4] - tool[:4], -self._limit[:4], self._limit[:4])

    def _cost(self, scene: SceneState, ahead: SceneState, tools: np.ndarray, goals: list[PoseGoal]) -> np.ndarray:
        """Of rollouts (N,) with scenes `ahead` (N, H): how far goals are off on the way, what else moves, whether the hand can push."""
        slots = [scene.slot(each.identity) for each in goals]
        position = ahead.position
        total, worst = np.zeros(position.shape[:2]), None
        for each, slot in zip(goals, slots, strict=True):
            off = each.distance(ahead)
            total += off
            if worst is None or off[0, 0] > worst[0]:
                worst = off[0, 0], each, slot
        others = [slot for slot in range(scene.slots) if slot not in slots]
        total += KEPT * np.linalg.norm(position[:, :, others, :2] - self._start[others], axis=-1).sum(-1)
        assert worst is not None
        total += NEAR * self._apart(scene, position[:, :, worst[2]], tools, worst[1], worst[2])
        total += LOW * np.abs(tools[..., 2] - WORK)
        return total.mean(1) + total[:, -1]

    def _apart(
        self, scene: SceneState, position: np.ndarray, tools: np.ndarray, goal: PoseGoal, slot: int
    ) -> np.ndarray:
        """[m] (N, H) of the tip from behind the object as seen from its goal; on the spot, from the object."""
        way = np.array([goal.pose["x"], goal.pose["y"]]) - position[..., :2]
        far = np.linalg.norm(way, axis=-1, keepdims=True)
        outline = turned(scene.shape[slot].reshape(-1, 2), float(scene.yaw[slot]))
        ahead = way / np.maximum(far, 1e-6)
        radius = (outline @ ahead[..., None]).max(-2)
        behind = position[..., :2] - ahead * (radius + BEHIND) * (far > 0.01)
        return np.linalg.norm(tools[..., :2] - behind, axis=-1)


def _tightened(goal: PoseGoal) -> PoseGoal:
    """The same goal, with a share of its tolerances."""
    return replace(goal, tolerance=ENOUGH * goal.tolerance, yaw_tolerance=ENOUGH * goal.yaw_tolerance)


def _spline(knots: np.ndarray) -> np.ndarray:
    """Displacements (N, H, 4) from knots (N, KNOTS, 4), on straight lines between them."""
    at = np.linspace(0, KNOTS - 1, HORIZON)
    low = np.minimum(at.astype(int), KNOTS - 2)
    share = (at - low)[:, None]
    return knots[:, low] * (1 - share) + knots[:, low + 1] * share


def _shifted(knots: np.ndarray) -> np.ndarray:
    """Knots (KNOTS, 4) one step later."""
    spacing = (HORIZON - 1) / (KNOTS - 1)
    after = np.concatenate([knots[1:], knots[-1:]])
    return knots + (after - knots) / spacing
