"""Starts and goals of a task in a scene, drawn with a seed: apart, within reach, not solved already."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from wm_core.goal import AllOf, Goal, PoseGoal, RelationGoal, UprightGoal, ZoneGoal
from wm_core.task import TaskError
from wm_sim.kinds import Body
from wm_sim.placing import ABOVE, Placed, apart, standing, upright
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_task import SceneTask, TaskGoal
from wm_sim.world import WorldError

TRIES = 400
GOAL_GAP = 0.012  # [m] around a goal's place, from what stays
BESIDE_WAY = 0.09  # [m] from the way at which something is in it or beside it
INSET = 0.02  # [m] of goals from the edge of the start's region
FIXED_MASS = 50.0  # [kg]
HAND_AHEAD, HAND_ASIDE = (
    (0.6, 0.95),
    (0.02, 0.05),
)  # share of the way to the edge, and [m] beside its path, where the hand begins then
REACTION, HAND_SPEED, IN_ITS_WAY = 0.2, 0.25, 0.03  # [s], [m/s], [m] with which a hand gets in its way
OVER, SLIDES = (1.1, 1.6), 200  # share of the energy that carries it to the edge; tries


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
            sim.reset(int(rng.integers(2**31)), placed, names)
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
    fixtures = standing(task.world)
    for body, spec in zip(bodies, task.objects, strict=True):
        for _ in range(60):
            place, yaw = task.world.start.region.draw(rng), rng.uniform(-np.pi, np.pi)
            one = _lying(body, place, yaw) if spec.toppled else upright(body, place, yaw)
            if all(apart(one, other, task.gap) for other in [*fixtures, *placed]):
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
    staying = [one for name, one in zip(names, placed, strict=True) if name not in moved] + standing(task.world)
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
    """A velocity towards an edge, just so fast that the object would go over, and where the hand begins: beside its path, so that it can
    get in its way in time. Nothing where no such way was found.
    """
    if task.slide is None:
        return {}, None
    slot, slowest, fastest = names.index(task.slide[0]), *task.slide[1]
    lower, upper = task.world.table
    place, reach = sim.scene.position[slot, :2], sim.robot.reach
    edges = np.concatenate([place - lower, upper - place])
    slowing = 9.81 * sim.objects[slot].body.friction * sim.friction
    radius = float(np.linalg.norm(sim.objects[slot].solid.outline, axis=1).max())
    for _ in range(SLIDES):
        side = int(rng.integers(4))
        ahead = np.zeros(2)
        ahead[side % 2] = -1.0 if side < 2 else 1.0
        across = np.array([-ahead[1], ahead[0]])
        speed = float(np.sqrt(2 * slowing * edges[side] * rng.uniform(*OVER)))
        way, aside = rng.uniform(*HAND_AHEAD) * edges[side], radius + rng.uniform(*HAND_ASIDE)
        hand = place + way * ahead + rng.choice([-1, 1]) * aside * across
        front = max(way - radius, 0.0)
        arrives = (speed - np.sqrt(max(speed**2 - 2 * slowing * front, 0.0))) / slowing  # [s]
        in_time = arrives > REACTION + (aside - IN_ITS_WAY) / HAND_SPEED
        within = (hand > reach.lower[:2] + 0.01).all() and (hand < reach.upper[:2] - 0.01).all()
        if slowest < speed < fastest and in_time and within:
            velocity = np.zeros(6)
            velocity[:2] = speed * ahead
            return {slot: velocity}, hand
    return {}, None
