"""Physical consistency: what imagined futures do that no real one may, beside how often real ones seem to do it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_core.futures import XY
from wm_dynamics.rollout import RolloutEngine
from wm_evaluation.measurement import Context
from wm_evaluation.section import Section, Table
from wm_evaluation.stage import Stage
from wm_evaluation.stats import Estimate, mean
from wm_planner.costs import CostModel
from wm_planner.planners import make_planner
from wm_sim.world import World, load_world
from wm_tasks.baselines import RandomPolicy
from wm_tasks.explorers import make_explorer
from wm_tasks.settings import ACTION_SCALE, REACH, ROBOT, TASK

EPISODES = 24
START_AT = (9, 20)  # steps of an episode
STEPS = 12
TOUCH = 0.003  # [m] what positions and sizes may be off
FREE = 0.085  # [m] between tool and object: farther off nothing of the hand reaches it
MOVES = 0.004  # [m] in a step
SLIDES = 3  # steps that an object may go on after the tool has left it
KINDS = ("penetration", "teleport", "motion without contact", "energy from nothing", "off the table")
SEQUENCES = ("explored", "random", "planned")
PROTOCOL = """\
Objects as in data collection, seeds {first} to {last}. From up to {points} beliefs in each episode every member of the ensemble
imagines {steps} steps under explored, random and planned actions (icem, towards the goal drawn with the seed); the same actions
are run for real from the saved state of the simulator. Share of futures with at least one step of: penetration (the tool's
centre is deeper than {touch:.0f} mm inside a disk that fits into the object), teleport (the object moves more than {teleport:.0f} cm
in a step, twice the largest tool motion), motion without contact (it moves more than {moves:.0f} mm although the tool has been
farther off than {free:.1f} cm for {slides} steps), energy from nothing (it speeds up by as much meanwhile), leaving the table. Real futures
are measured alike: what they show is sliding. Intervals: 95 %, bootstrap over episodes."""


@dataclass(frozen=True)
class Start:
    """One saved state, and what really followed under some action sequences."""

    episode: int
    kinds: tuple[str, ...]  # (K,) of the sequences
    actions: np.ndarray  # (K, H, 2)
    object_xy: np.ndarray  # (K, H + 1, 2) [m] true object positions, the first before the sequence
    tool: np.ndarray  # (K, H + 1, 2) [m]
    means: dict[str, np.ndarray]


def measure(context: Context) -> Section:
    """Raises ValueError without a state to start from."""
    seeds = range(context.first_seed, context.first_seed + context.count(EPISODES))
    world = load_world(context.world)
    starts = gather(context, world, seeds)
    if not starts:
        raise ValueError("expected states to imagine from, found none; use more effort")
    radius = inner_radius(world)
    corners = np.add(world.table_centre, np.outer([-0.5, 0.5], world.table_size))
    episodes = np.array([start.episode for start in starts])
    shares = {"real": _shares([violations(s.object_xy, s.tool, radius, corners) for s in starts], episodes)}
    by_kind: dict[str, dict[str, dict[str, Estimate]]] = {}
    for label, bundle in context.bundles.items():
        engine = RolloutEngine(bundle)
        found = []
        for start in starts:
            futures = engine.rollout(start.means[label], start.actions)
            first = np.broadcast_to(futures.start, (*futures.readout.shape[:2], 1, bundle.readout.size))
            path = np.concatenate([first, futures.readout], 2)
            object_xy, tool = (bundle.readout.of(path, part, XY) for part in ("object", "tool"))
            found.append(violations(object_xy, tool, radius, corners))
        shares[label] = _shares(found, episodes)
        by_kind[label] = {
            kind: _shares([_of(v, start, kind) for v, start in zip(found, starts, strict=True)], episodes)
            for kind in SEQUENCES
        }
    figures: dict[str, Any] = {label: {kind: e.json() for kind, e in table.items()} for label, table in shares.items()}
    for label, tables in by_kind.items():
        figures[label] |= {"by_actions": {k: {n: e.json() for n, e in t.items()} for k, t in tables.items()}}
    rows = [(label, "all", *(table[kind].text(1, 100) for kind in KINDS)) for label, table in shares.items()]
    rows += [
        (label, kind, *(table[name].text(1, 100) for name in KINDS))
        for label, tables in by_kind.items()
        for kind, table in tables.items()
    ]
    protocol = PROTOCOL.format(
        first=seeds[0],
        last=seeds[-1],
        points=len(START_AT),
        steps=STEPS,
        touch=1000 * TOUCH,
        teleport=100 * 2 * ACTION_SCALE,
        moves=1000 * MOVES,
        free=100 * FREE,
        slides=SLIDES,
    )
    header = ("futures", "actions", *(f"{kind} [%]" for kind in KINDS))
    return Section("audit", "Physical consistency", protocol, figures, [Table(header, rows)])


def violations(object_xy: np.ndarray, tool: np.ndarray, radius: float, corners: np.ndarray) -> dict[str, np.ndarray]:
    """Whether futures (...) break the rules anywhere: positions (..., H + 1, 2) [m] of object and tool, the table's
    lower and upper corners (2, 2) [m].

    `radius` [m]: of a disk that fits into the object however it is turned.
    """
    gap = np.linalg.norm(tool - object_xy, axis=-1)
    speed = np.linalg.norm(np.diff(object_xy, axis=-2), axis=-1)  # [m] per step
    steps = range(SLIDES, object_xy.shape[-2])
    free = np.stack([(gap[..., step - SLIDES : step + 1] > FREE).all(-1) for step in steps], -1)
    speeding = np.diff(speed, axis=-1)[..., SLIDES - 2 :] > MOVES
    return {
        "penetration": (gap < radius - TOUCH).any(-1),
        "teleport": (speed > 2 * ACTION_SCALE).any(-1),
        "motion without contact": (free & (speed[..., SLIDES - 1 :] > MOVES)).any(-1),
        "energy from nothing": (free & speeding).any(-1),
        "off the table": ((object_xy < corners[0]) | (object_xy > corners[1])).any((-1, -2)),
    }


def inner_radius(world: World) -> float:
    """Radius [m] of the largest disk around the object's origin that fits into it at the tool's height."""
    radii = [0.0]
    for part in world.parts:
        height = part.size[2] if part.shape == "box" else part.size[1]
        centred = np.allclose(part.position[:2], 0)
        if part.collides and centred and abs(part.position[2] - ROBOT.tool.height) < height / 2:
            radii.append(min(part.size[:2]) / 2 if part.shape == "box" else part.size[0])
    return max(radii)


def gather(context: Context, world: World, seeds: range) -> list[Start]:
    """States met in episodes with these seeds, and what really follows explored, random and planned actions."""
    stage = Stage(context.bundles, world)
    judged = next(iter(context.bundles))
    found = []
    for seed in seeds:
        goal = stage.reset(seed)
        rng = np.random.default_rng(seed)
        explore = make_explorer(TASK, REACH, rng)
        for step in range(START_AT[-1] + 1):
            if not stage.within_reach:
                break
            states = stage.observe()
            if step in START_AT:
                means = {label: state.mean for label, state in states.items()}
                planned = _planned(context, judged, means[judged], goal, seed)
                found.append(_follow(stage, seed, planned, means, rng))
            stage.act(explore.action(stage.drive.commanded, stage.object))
    stage.close()
    return found


def _planned(context: Context, label: str, mean_: np.ndarray, goal: np.ndarray, seed: int) -> np.ndarray:
    """What the planner would do (H, 2), seen from the judged bundle."""
    bundle = context.bundles[label]
    engine, costs = RolloutEngine(bundle), CostModel.of(bundle, TASK, REACH)
    planner = make_planner("icem", STEPS, bundle.action, seed)
    return planner.plan(lambda actions: costs.cost(engine.rollout(mean_, actions), actions, goal), None, None).actions


def _follow(
    stage: Stage, seed: int, planned: np.ndarray, means: dict[str, np.ndarray], rng: np.random.Generator
) -> Start:
    count = len(SEQUENCES)
    actions = np.zeros((count, STEPS, 2), np.float32)
    object_xy, tool = np.zeros((count, STEPS + 1, 2)), np.zeros((count, STEPS + 1, 2))
    with stage.drive.saved() as restore:
        for k, kind in enumerate(SEQUENCES):
            restore()
            explore, wander = make_explorer(TASK, REACH, rng), RandomPolicy(seed)
            object_xy[k, 0], tool[k, 0] = stage.object, stage.tool
            for step in range(STEPS):
                if kind == "explored":
                    action = explore.action(stage.drive.commanded, stage.object)
                elif kind == "random":
                    action = wander(stage.drive.commanded, stage.object, stage.object)
                else:
                    action = planned[step]
                actions[k, step] = stage.drive.act(action)
                object_xy[k, step + 1], tool[k, step + 1] = stage.object, stage.tool
        restore()
    return Start(seed, SEQUENCES, actions, object_xy, tool, means)


def _of(found: dict[str, np.ndarray], start: Start, kind: str) -> dict[str, np.ndarray]:
    """Only futures (members, K) under one kind of actions."""
    index = start.kinds.index(kind)
    return {name: values[..., index] for name, values in found.items()}


def _shares(found: list[dict[str, np.ndarray]], episodes: np.ndarray) -> dict[str, Estimate]:
    return {kind: mean(np.array([values[kind].mean() for values in found]), episodes) for kind in KINDS}
