"""Exploring with the world model beside the scripted exploration, which sees the truth, and random motions: what comes to be seen."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from _common import flat, parser, recorded, shipped, table, write_json
from _results import Line

from wm_core.bundle import Bundle
from wm_core.goal import ExploreGoal, PoseGoal
from wm_dynamics.rollout import RolloutEngine
from wm_planner.goal import Progress
from wm_tasks.baselines import RandomPolicy
from wm_tasks.closed_loop import ClosedLoop, Policy, Step
from wm_tasks.explorers import make_explorer
from wm_tasks.exploring import RETURN_TOLERANCE, ExplorerCore, Kind, Order, Scene
from wm_tasks.settings import REACH, TASK

PROTOCOL = """\
Protocol: {minutes} minutes of robot time in lockstep, from a start drawn with the seed; an object out of reach is lost, and the scene is
drawn anew. moved: share of the steps in which the object truly moves more than 3 mm. fast: more than 15 mm. places: cells of 4 cm that it
moves through. rarest: share of the rarest of eight directions of motion (even: 12.5 %). disagreement, error: of the bundle about the
object, 5 steps ahead under the actions that followed, mean over all steps. held: share of the steps in which the arm stands still, because
the guard refused or the plan was too uncertain. Seeds from {first} on; seeds below 10000 are for training and tuning."""
METHODS = {
    "wm": "goals of kind EXPLORE, and of bringing the object back, from pixels and joints only",
    "scripted": "the exploration that the shipped bundle was trained on; it sees the true position",
    "random": "random motions: the floor",
}
WORLDS = ("tabletop_block",)
MOVES, FAST, CELL = 0.003, 0.015, 0.04  # [m]
AHEAD = 5  # steps
EXPLORE_S = 20.0
REGIONS, CYCLES = TASK.exploring, TASK.success.cycles


@dataclass
class Record:
    """What happened."""

    steps: list[Step] = field(default_factory=list)
    scenes: list[int] = field(default_factory=list)  # of each step
    exploring: list[bool] = field(default_factory=list)
    losses: int = 0
    returns: int = 0
    returned: int = 0
    reasons: list[str] = field(default_factory=list)


class Explore:
    """The explorer's core in lockstep with all others."""

    def __init__(self, loop: ClosedLoop, seed: int) -> None:
        self._loop, self._core, self._seed = loop, ExplorerCore(REGIONS, seed, EXPLORE_S), seed
        self._order: Order | None = None
        self._progress = Progress(ExploreGoal(seed), 0.0, CYCLES)

    def step(self, record: Record) -> str:
        """One step; why the object is lost, or nothing."""
        last = record.steps[-1].belief if record.steps and record.scenes[-1] == record.losses else None
        if self._order is None:
            order = Order(Kind.EXPLORE, EXPLORE_S)
            if last is not None:
                order = self._core.next(Scene(last.scene.xy[0], last.time_unseen, False))
            if order.kind is Kind.RESCUE:
                self._core.rescued()
                return order.reason
            goal = ExploreGoal(self._seed) if order.xy is None else _brought_to(order.xy)
            self._order, self._progress = order, Progress(goal, order.seconds, CYCLES)
            record.returns += order.kind is Kind.RETURN
        step = self._loop.step(self._progress)
        record.steps.append(step)
        record.exploring.append(self._order.kind is Kind.EXPLORE)
        record.scenes.append(record.losses)
        scene = Scene(step.belief.scene.xy[0], step.belief.time_unseen, False)  # type: ignore[union-attr]
        progress = self._progress
        if progress.reached or progress.timed_out or self._core.breaks_off(self._order, scene):
            self._core.ended(self._order)
            record.returned += progress.reached
            self._order = None
        return ""


def _brought_to(xy: np.ndarray) -> PoseGoal:
    return PoseGoal(dict(zip(TASK.goal_axes, xy, strict=True)), RETURN_TOLERANCE)


class Watch:
    """A policy that sees the truth, watched by perception and belief."""

    def __init__(self, loop: ClosedLoop, policy: Policy) -> None:
        self._loop, self._policy = loop, policy
        self._progress = Progress(ExploreGoal(), np.inf, CYCLES)

    def step(self, record: Record) -> str:
        step = self._loop.step(self._progress, self._policy, watched=True)
        record.steps.append(step)
        record.exploring.append(True)
        record.scenes.append(record.losses)
        return "" if REGIONS.lost.contains(step.object_xy) else "out of reach"


def explore(world: str, method: str, seed: int, minutes: float, bundle: Path | None) -> dict[str, Any]:
    """Figures of one run."""
    loop = ClosedLoop.load(world, bundle)
    if method == "wm":
        explorer: Explore | Watch = Explore(loop, seed)
    else:
        script = make_explorer(TASK, REACH, np.random.default_rng(seed))
        wander = RandomPolicy(seed)
        explorer = Watch(
            loop, (lambda tool, object_xy, goal: script.action(tool, object_xy)) if method == "scripted" else wander
        )
    record = Record()
    loop.reset(seed)
    while len(record.steps) < round(600 * minutes):
        if reason := explorer.step(record):
            record.losses += 1
            record.reasons.append(reason)
            loop.reset(seed + record.losses)
    return figures(record, loop.bundle)


def figures(record: Record, bundle: Bundle) -> dict[str, Any]:
    """What a record comes to."""
    places = np.array([step.object_xy for step in record.steps])
    scenes, exploring = np.array(record.scenes), np.array(record.exploring)
    motion = np.diff(places, axis=0)
    counted = (scenes[1:] == scenes[:-1]) & exploring[1:]
    lengths = np.linalg.norm(motion, axis=1)
    moved = counted & (lengths > MOVES)
    octants = np.round(np.arctan2(*motion[moved].T[::-1]) / (np.pi / 4)).astype(int) % 8
    disagreement, error = _ahead(record.steps, scenes, bundle)
    verdicts = [step.verdict for step in record.steps]
    return {
        "steps": len(record.steps),
        "exploring": float(exploring.mean()),
        "moved": float(moved.sum() / max(1, counted.sum())),
        "fast": float((counted & (lengths > FAST)).sum() / max(1, counted.sum())),
        "places": len({tuple(cell) for cell in (places[1:][moved] // CELL).astype(int).tolist()}),
        "rarest": float(np.bincount(octants, minlength=8).min() / max(1, len(octants))),
        "disagreement_mm": 1e3 * disagreement,
        "error_mm": 1e3 * error,
        "held": float(np.mean([not np.any(step.action) for step in record.steps])),
        "returns": record.returns,
        "returned": record.returned,
        "losses": record.losses,
        "reasons": record.reasons,
        "refused": verdicts.count("refused"),
        "limited": verdicts.count("limited"),
    }


def _ahead(steps: list[Step], scenes: np.ndarray, bundle: Bundle) -> tuple[float, float]:
    """Mean disagreement and error [m] about the object AHEAD steps on."""
    begins = np.flatnonzero(scenes[:-AHEAD] == scenes[AHEAD:])
    beliefs = np.stack([step.belief.mean for step in steps])  # type: ignore[union-attr]
    actions = np.stack([step.action for step in steps]).astype(np.float32)
    windows = np.stack([actions[begins + i] for i in range(AHEAD)], 1)
    futures = RolloutEngine(bundle).rollout(beliefs[begins][None], windows)
    seen = np.stack([step.object_xy for step in steps])[begins + AHEAD]
    off = np.linalg.norm(futures.mean_object()[:, -1] - seen, axis=1)
    return float(futures.epistemic_std()[:, -1].mean()), float(off.mean())


HEADER = (
    "world",
    "method",
    "moved",
    "fast",
    "places",
    "rarest",
    "disagreement [mm]",
    "error [mm]",
    "held",
    "returns reached",
    "lost",
    "refused",
)


def row(line: Line) -> tuple[str, ...]:
    """A line of the table."""
    found = line["result"]
    shares = (f"{100 * found[name]:.0f} %" for name in ("moved", "fast"))
    return (
        Path(line["world"]).stem,
        line["method"],
        *shares,
        str(found["places"]),
        f"{100 * found['rarest']:.0f} %",
        f"{found['disagreement_mm']:.1f}",
        f"{found['error_mm']:.1f}",
        f"{100 * found['held']:.1f} %",
        f"{found['returned']}/{found['returns']}",
        str(found["losses"]),
        str(found["refused"]),
    )


def tables(lines: list[Line]) -> str:
    return table(HEADER, [row(line) for line in lines])


def main() -> None:
    options = parser(__doc__ or "", episodes=1)
    options.add_argument("--worlds", nargs="+", default=list(WORLDS), metavar="WORLD", help="names or world files")
    options.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    options.add_argument("--minutes", type=float, default=5.0, help="of robot time for each world and method")
    args = options.parse_args()
    print(PROTOCOL.format(minutes=args.minutes, first=args.seed))
    for method in args.methods:
        print(f"  {method}: {METHODS[method]}")
    calls = {
        (world, method, seed): (world, method, seed, args.minutes, args.bundle)
        for world in args.worlds
        for method in args.methods
        for seed in (args.seed + 1000 * i for i in range(args.episodes))
    }
    results = recorded("exploration", args, "minutes", bundle=args.bundle or shipped())
    lines = []
    for line in results.run(explore, calls, ("world", "method", "seed"), args.workers):
        lines.append(line)
        print(" ".join(row(line)), flush=True)
    print("\n" + tables(lines))
    write_json(
        args.json, {"protocol": vars(args), "results": [flat(line, "world", "method", "seed") for line in lines]}
    )


if __name__ == "__main__":
    main()
