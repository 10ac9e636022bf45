"""Judging policies by imagination alone: does the order in which they succeed there hold in the simulator?"""

from typing import Any

import numpy as np

from wm_core.bundle import Bundle
from wm_dynamics.belief import BeliefState
from wm_dynamics.rollout import RolloutEngine
from wm_evaluation.measurement import Context
from wm_evaluation.plots import BASELINE, colours, panels, png
from wm_evaluation.policies import Act, policies
from wm_evaluation.section import Picture, Section, Table
from wm_evaluation.stage import Stage
from wm_evaluation.stats import LEVEL, RESAMPLES, Estimate, spearman
from wm_sim.world import load_world
from wm_tasks.settings import REACH_BOX

GOALS = 12
MEMBERS = 2  # of the ensemble, each a world
MAX_STEPS = 50
LOOKS = 3  # at the start, before anything moves
REACHED = 0.010  # [m] believed distance at which an episode ends
SUCCESS = 0.02  # [m]
PROTOCOL = """\
Goals and starts drawn with seeds {first} to {last}, objects as in data collection, at most {steps} steps, success within
{success:.0f} cm. {count} policies, good and bad, act on each bundle's belief: in the simulator, and in imagination alone, from the
belief at the start with each of {members} ensemble members as the world. Spearman's rank correlation between both success
rates over policies; 1 is the same order. Baseline: all policies are taken for equally good, no correlation. Interval: 95 %,
bootstrap over goals."""


class ImaginedWorld:
    """One ensemble member as the world: the object moves as it says, the rest of the latent as the filter does unseen."""

    def __init__(self, bundle: Bundle, start: BeliefState, member: int) -> None:
        self._bundle, self._engine, self._member = bundle, RolloutEngine(bundle), member
        self.latent = start.mean.copy()
        self._variance = start.variance[None].copy()
        self.commanded = start.target.xy.astype(float)

    @property
    def object(self) -> np.ndarray:
        """Where the object is (2,) [m]."""
        return self._bundle.state.object_position(self.latent)

    def act(self, action: np.ndarray) -> None:
        """One step under an action (2,); the commanded position stays within reach."""
        bundle = self._bundle
        target = np.clip(self.commanded + bundle.action.scaled(action), *REACH_BOX)
        executed = bundle.action.unscaled(target - self.commanded).astype(np.float32)
        futures = self._engine.rollout(self.latent, executed[None, None])
        tool = futures.tool_at()[self._member, 0, 0]
        moved = bundle.run(
            "filter",
            mean=self.latent[None],
            variance=self._variance,
            action=executed[None],
            embedding=bundle.unseen,
            proprio=np.concatenate([tool, target]).astype(np.float32)[None],
        )["posterior_mean"][0]
        bundle.state.object_position(moved)[:] = futures.object(bundle.state.position)[self._member, 0, 0]
        self.latent, self.commanded = moved, target


def measure(context: Context) -> Section:
    """Rank correlations of every bundle."""
    seeds = range(context.first_seed, context.first_seed + context.count(GOALS))
    world = load_world(context.world)
    figures: dict[str, Any] = {}
    rows, points = [], {}
    for label, bundle in context.bundles.items():
        stage = Stage({label: bundle}, world)
        starts = [begin(stage, seed) for seed in seeds]
        real: dict[str, list[float]] = {}
        imagined: dict[str, list[float]] = {}
        for name, make in policies(bundle).items():
            real[name] = [float(simulate(stage, seed, make(seed)) <= SUCCESS) for seed in seeds]
            imagined[name] = [
                float(np.mean([imagine(bundle, start, make(seed), member) <= SUCCESS for member in _members(bundle)]))
                for seed, start in zip(seeds, starts, strict=True)
            ]
        stage.close()
        truth, guess = (np.array(list(table.values())) for table in (real, imagined))
        found = rank_correlation(truth, guess)
        off = float(np.abs(truth.mean(1) - guess.mean(1)).mean())
        figures[label] = {
            "spearman": found.json(),
            "mean_absolute_difference": off,
            "policies": {n: {"simulator": np.mean(real[n]), "imagination": np.mean(imagined[n])} for n in real},
        }
        rows += [(label, n, f"{100 * np.mean(real[n]):.0f}", f"{100 * np.mean(imagined[n]):.0f}") for n in real]
        rows.append((label, "rank correlation", found.text(2), f"mean difference {100 * off:.0f}"))
        points[label] = (truth.mean(1), guess.mean(1))
    protocol = PROTOCOL.format(
        first=seeds[0],
        last=seeds[-1],
        steps=MAX_STEPS,
        success=100 * SUCCESS,
        count=max(len(figures[label]["policies"]) for label in figures),
        members=MEMBERS,
    )
    header = ("model", "policy", "success in the simulator [%]", "in imagination [%]")
    return Section(
        "imagined_success",
        "Judging policies in imagination",
        protocol,
        figures,
        [Table(header, rows)],
        [_picture(points)],
    )


def begin(stage: Stage, seed: int) -> tuple[BeliefState, np.ndarray]:
    """Look at a new scene for some steps: the belief then, and the goal (2,) [m]."""
    goal = stage.reset(seed)
    for _ in range(LOOKS):
        belief = next(iter(stage.observe().values()))
        stage.act(np.zeros(2))
    return belief, goal


def simulate(stage: Stage, seed: int, act: Act) -> float:
    """True distance [m] to the goal at the end of an episode."""
    _, goal = begin(stage, seed)
    for _ in range(MAX_STEPS):
        belief = next(iter(stage.observe().values()))
        if np.linalg.norm(belief.scene.xy[0] - goal) < REACHED:
            break
        stage.act(act(belief.mean, stage.drive.commanded, goal))
    return float(np.linalg.norm(stage.object - goal))


def imagine(bundle: Bundle, start: tuple[BeliefState, np.ndarray], act: Act, member: int) -> float:
    """Imagined distance [m] to the goal at the end of an episode that begins with the belief at the start."""
    belief, goal = start
    world = ImaginedWorld(bundle, belief, member)
    for _ in range(MAX_STEPS):
        if np.linalg.norm(world.object - goal) < REACHED:
            break
        world.act(act(world.latent, world.commanded, goal))
    return float(np.linalg.norm(world.object - goal))


def rank_correlation(real: np.ndarray, imagined: np.ndarray) -> Estimate:
    """Of mean successes of policies over episodes (policies, n), with a bootstrap over episodes (seeded)."""
    drawn = np.random.default_rng(0).integers(real.shape[1], size=(RESAMPLES, real.shape[1]))
    resampled = [spearman(real[:, part].mean(1), imagined[:, part].mean(1)) for part in drawn]
    low, high = np.nanquantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(spearman(real.mean(1), imagined.mean(1)), float(low), float(high))


def _members(bundle: Bundle) -> range:
    return range(min(MEMBERS, bundle.ensemble))


def _picture(points: dict[str, tuple[np.ndarray, np.ndarray]]) -> Picture:
    (figure, (axis,)), shades = panels(height=3.6), colours(points)
    axis.axline((0, 0), slope=1, color=BASELINE, linewidth=1)
    for label, (real, imagined) in points.items():
        axis.plot(100 * real, 100 * imagined, "o", color=shades[label], label=label, alpha=0.8)
    axis.set(xlabel="success in the simulator [%]", ylabel="in imagination [%]")
    axis.legend()
    return Picture(png(figure), "Each point is a policy.")
