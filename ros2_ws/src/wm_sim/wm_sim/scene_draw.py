"""Starts and goals of a task in a scene, drawn with a seed: apart, within reach, not solved already."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from wm_core.goal import AllOf, Goal, PoseGoal, RelationGoal, UprightGoal, ZoneGoal
from wm_core.task import TaskError
from wm_sim.kinds import Body
from wm_sim.placing import ABOVE, Placed, apart, upright
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_task import SceneTask, TaskGoal
from wm_sim.world import WorldError

TRIES = 400
GOAL_GAP = 0.012  # [m] around a goal's place, from what stays
BESIDE_WAY = 0.09  # [m] from the way at which something is in it or beside it
INSET = 0.02  # [m] of goals from the edge of the start's region
FIXED_MASS = 50.0  # [kg]
EDGE = 0.08  # [m] from an edge at which what slides begins, at least
HAND_AHEAD, HAND_ASIDE = (
    (0.25, 0.8),
    (0.06, 0.12),
)  # share of the way to the edge, and [m] beside it, where the hand begins then


@dataclass(frozen=True)
class Episode:
    """What was drawn: a goal about objects by name, and where all were at the beginning (K, 2) [m]."""

    goal: Goal
    names: tuple[str, ...]
    start: np.ndarray
    velocity: dict[int, np.ndarray]  # (6,) of what slides at first, by slot
    hand: np.ndarray | None  # (2,) where the tool begins [m]; None: at home


def draw_episode(task: SceneTask, sim: SceneSim, seed: int) -> Episode:
    """Put a task's objects into a simulator and draw its goals; raises TaskError where that is impossible."""
    rng = np.random.default_rng([seed, 77])
    for _ in range(TRIES):
        bodies = [
            _body(each.kinds[int(rng.integers(len(each.kinds)))].draw(rng, task.world.off_centre), each.fixed)
            for each in task.objects
        ]
        placed = _placed(task, bodies, rng)
        if placed is None:
            continue
        goals = _goals(task, placed, rng)
        if goals is None:
            continue
        names = tuple(each.name for each in task.objects)
        try:
            sim.reset(seed, placed, names)
        except WorldError:
            continue
        scene = sim.scene
        velocity, hand = _sliding(task, sim, names, rng)
        if task.slide is not None and not velocity:
            continue
        goal = goals[0] if len(goals) == 1 else AllOf(tuple(goals))
        return Episode(goal, names, scene.position[:, :2].copy(), velocity, hand)
    raise TaskError(f"{task.path}: no start was found in {TRIES} tries; enlarge the world's region or the distances")


def _body(body: Body, fixed: bool) -> Body:
    return replace(body, mass=FIXED_MASS) if fixed else body


def _placed(task: SceneTask, bodies: list[Body], rng: np.random.Generator) -> list[Placed] | None:
    placed: list[Placed] = []
    for body, spec in zip(bodies, task.objects, strict=True):
        for _ in range(60):
            place, yaw = task.world.start.region.draw(rng), rng.uniform(-np.pi, np.pi)
            one = _lying(body, place, yaw) if spec.toppled else upright(body, place, yaw)
            if all(apart(one, other, task.gap) for other in placed):
                placed.append(one)
                break
        else:
            return None
    return placed


def _lying(body: Body, place: np.ndarray, yaw: float) -> Placed:
    rotation = Rotation.from_euler("zx", [yaw, np.pi / 2]).as_matrix()
    return Placed(body, np.array([*place, -body.solid.turned(rotation).lower[2] + ABOVE]), rotation)


def _goals(task: SceneTask, placed: list[Placed], rng: np.random.Generator) -> list[Goal] | None:
    names = [each.name for each in task.objects]
    found: list[Goal] = []
    taken: list[Placed] = []
    moved = {goal.object for goal in task.goals if goal.distance is not None}
    staying = [one for name, one in zip(names, placed, strict=True) if name not in moved]
    for goal in task.goals:
        slot = names.index(goal.object)
        if goal.distance is None:
            made = _plain(goal, task)
        else:
            place = _pose(task, goal, placed[slot], [*staying, *taken], rng)
            if place is None:
                return None
            taken.append(place)
            made = _pose_goal(task, goal, place)
        found.append(made)
    if task.between and not _something_between(placed[names.index(task.goals[0].object)], taken[0], staying):
        return None
    return found


def _plain(goal: TaskGoal, task: SceneTask) -> Goal:
    if goal.on is not None:
        return RelationGoal("on", goal.object, goal.on)
    if goal.within is not None:
        return RelationGoal("in", goal.object, goal.within)
    if goal.upright:
        return UprightGoal(goal.object)
    lower, upper = task.world.table
    return ZoneGoal(
        dict(zip("xy", lower + INSET, strict=True)), dict(zip("xy", upper - INSET, strict=True)), goal.object
    )


def _pose(
    task: SceneTask, goal: TaskGoal, start: Placed, others: list[Placed], rng: np.random.Generator
) -> Placed | None:
    assert goal.distance is not None
    yaw0 = float(np.arctan2(start.rotation[1, 0], start.rotation[0, 0]))
    region = task.world.start.region
    for _ in range(60):
        heading, far = rng.uniform(-np.pi, np.pi), rng.uniform(*goal.distance)
        place = start.position[:2] + far * np.array([np.cos(heading), np.sin(heading)])
        if (place < region.lower + INSET).any() or (place > region.upper - INSET).any():
            continue
        turn = 0.0 if goal.turn is None else rng.choice([-1, 1]) * rng.uniform(*goal.turn)
        one = upright(start.body, place, yaw0 + turn)
        if all(apart(one, other, GOAL_GAP) for other in others):
            return one
    return None


def _pose_goal(task: SceneTask, goal: TaskGoal, place: Placed) -> PoseGoal:
    pose = {"x": float(place.position[0]), "y": float(place.position[1])}
    if goal.turn is not None:
        pose["yaw"] = float(np.arctan2(place.rotation[1, 0], place.rotation[0, 0]))
    return PoseGoal(pose, task.success.tolerance, task.success.yaw_tolerance, goal.object)


def _something_between(start: Placed, goal: Placed, others: list[Placed]) -> bool:
    a, b = start.position[:2], goal.position[:2]
    along = (b - a) / max(float(np.linalg.norm(b - a)), 1e-6)
    for other in others:
        way = (other.position[:2] - a) @ along
        aside = abs((other.position[:2] - a) @ np.array([-along[1], along[0]]))
        if 0 < way < np.linalg.norm(b - a) and aside < BESIDE_WAY:
            return True
    return False


def _sliding(
    task: SceneTask, sim: SceneSim, names: tuple[str, ...], rng: np.random.Generator
) -> tuple[dict[int, np.ndarray], np.ndarray | None]:
    """Velocities towards the nearest edge, so fast that it would go over, and where the hand begins: beside its path; none where it
    would not go over, or the hand cannot be there.
    """
    if task.slide is None:
        return {}, None
    slot = names.index(task.slide[0])
    lower, upper = task.world.table
    place = sim.scene.position[slot, :2]
    edges = np.concatenate([place - lower, upper - place])
    side = int(np.argmin(edges))
    ahead = np.zeros(2)
    ahead[side % 2] = -1.0 if side < 2 else 1.0
    across = np.array([-ahead[1], ahead[0]])
    speed = rng.uniform(*task.slide[1])
    velocity = np.zeros(6)
    velocity[:2] = speed * ahead + rng.normal(0, 0.1 * speed) * across
    friction = sim.objects[slot].body.friction * sim.friction
    goes_over = speed**2 / (2 * 9.81 * friction) > edges[side]
    hand = (
        place + rng.uniform(*HAND_AHEAD) * edges[side] * ahead + rng.choice([-1, 1]) * rng.uniform(*HAND_ASIDE) * across
    )
    reach = sim.robot.reach
    within = (hand > reach.lower[:2] + 0.01).all() and (hand < reach.upper[:2] - 0.01).all()
    return ({slot: velocity}, hand) if edges[side] > EDGE and goes_over and within else ({}, None)
