"""What if: from one state of the simulator several action sequences are run for real, and imagined from the belief there."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_dynamics.rollout import RolloutEngine
from wm_evaluation.measurement import Context
from wm_evaluation.plots import BASELINE, colours, panels, png
from wm_evaluation.section import Picture, Section, Table
from wm_evaluation.stage import Stage
from wm_evaluation.stats import mean
from wm_sim.world import load_world
from wm_tasks.explorers import make_explorer
from wm_tasks.settings import ACTION_SCALE, REACH, TASK

EPISODES = 30
BRANCH_AT = (9, 16, 23, 30)  # steps of an episode
NEAR = 0.16  # [m] between tool and object; from farther off no sequence reaches it
SEQUENCES = 4  # from each state
HORIZONS = (5, 10)  # steps
DIFFERENT = 0.01  # [m] smaller true differences are no question
PROTOCOL = """\
Objects and behaviour as in data collection, seeds {first} to {last}. In up to {points} states of each episode in which the tool is
within {near:.0f} cm of the object the simulator's state is saved, and {sequences} action sequences of {longest} steps are run from it:
exploration, and straight lines that pass the object. Each model imagines the same sequences from its own belief. Counted are pairs of
sequences after which the true object positions are more than {different:.0f} cm apart: does the imagined difference point the same way
(positive projection on the true one), and how far off is it? A model without a difference (copy-last, constant velocity) is at
chance, 50 %. Intervals: 95 %, bootstrap over episodes."""


@dataclass(frozen=True)
class Branching:
    """One saved state: K sequences of H steps."""

    episode: int
    actions: np.ndarray  # (K, H, 2)
    truth: np.ndarray  # (K, H, 2) [m] object after each step
    means: dict[str, np.ndarray]  # belief mean (L,) of each bundle


@dataclass(frozen=True)
class Differences:
    """Of n pairs of sequences, between their object positions after some steps [m]."""

    true: np.ndarray  # (n, 2)
    imagined: np.ndarray  # (n, 2)
    episode: np.ndarray  # (n,)

    def signs(self) -> np.ndarray:
        """Whether (n,) the imagined difference points the way of the true one; half where there is none."""
        return 0.5 + 0.5 * np.sign((self.true * self.imagined).sum(1))

    def dominant_signs(self) -> np.ndarray:
        """The same of the larger component of the true difference."""
        larger = np.abs(self.true).argmax(1)[:, None]
        true, imagined = (np.take_along_axis(d, larger, 1)[:, 0] for d in (self.true, self.imagined))
        return 0.5 + 0.5 * np.sign(true * imagined)

    def size_errors(self) -> np.ndarray:
        """How far off (n,) the imagined difference is, relative to the length of the true one."""
        return np.linalg.norm(self.imagined - self.true, axis=1) / np.linalg.norm(self.true, axis=1)


def differences(truth: np.ndarray, imagined: np.ndarray, episodes: np.ndarray, least: float = DIFFERENT) -> Differences:
    """Of all pairs of sequences from the same state that end more than `least` [m] apart; positions (states, K, 2)."""
    first, second = np.triu_indices(truth.shape[1], 1)
    true, guess = ((p[:, first] - p[:, second]).reshape(-1, 2) for p in (truth, imagined))
    apart = np.linalg.norm(true, axis=1) > least
    return Differences(true[apart], guess[apart], np.repeat(episodes, len(first))[apart])


def measure(context: Context) -> Section:
    """Raises ValueError when no sequences made a difference."""
    seeds = range(context.first_seed, context.first_seed + context.count(EPISODES))
    branchings = branch(context, seeds)
    if not branchings:
        raise ValueError("expected states with the tool near the object, found none; use more effort")
    truth = np.stack([b.truth for b in branchings])
    episodes = np.array([b.episode for b in branchings])
    figures: dict[str, Any] = {}
    rows, last = [], {}
    for label, bundle in context.bundles.items():
        engine = RolloutEngine(bundle)
        imagined = np.stack([engine.rollout(b.means[label], b.actions).mean_object().copy() for b in branchings])
        figures[label] = {}
        for horizon in HORIZONS:
            found = differences(truth[:, :, horizon - 1], imagined[:, :, horizon - 1], episodes)
            if not len(found.true):
                raise ValueError("expected sequences that make a difference, found none; use more effort")
            last[label] = found
            sign, dominant = (mean(values, found.episode) for values in (found.signs(), found.dominant_signs()))
            size = float(np.median(found.size_errors()))
            figures[label][str(horizon)] = {
                "pairs": len(found.true),
                "sign_accuracy": sign.json(),
                "dominant_component_sign_accuracy": dominant.json(),
                "median_relative_error": size,
            }
            cells = (sign.text(1, 100), dominant.text(1, 100), f"{100 * size:.0f}")
            rows.append((label, str(horizon), str(len(found.true)), *cells))
    chance = {"sign_accuracy": 0.5, "dominant_component_sign_accuracy": 0.5, "median_relative_error": 1.0}
    figures["copy-last"] = {str(horizon): chance for horizon in HORIZONS}
    rows.append(("copy-last", "any", "", "50", "50", "100"))
    header = (
        "model",
        "steps",
        "pairs",
        "same direction [%]",
        "sign of larger component [%]",
        "median error of difference [%]",
    )
    protocol = PROTOCOL.format(
        first=seeds[0],
        last=seeds[-1],
        points=len(BRANCH_AT),
        near=100 * NEAR,
        sequences=SEQUENCES,
        longest=HORIZONS[-1],
        different=100 * DIFFERENT,
    )
    return Section("counterfactual", "Counterfactuals", protocol, figures, [Table(header, rows)], [_picture(last)])


def branch(context: Context, seeds: range) -> list[Branching]:
    """States met in episodes with these seeds, and what would have happened under several action sequences."""
    stage = Stage(context.bundles, load_world(context.world))
    found = []
    for seed in seeds:
        stage.reset(seed)
        rng = np.random.default_rng(seed)
        explore = make_explorer(TASK, REACH, rng)
        for step in range(BRANCH_AT[-1] + 1):
            if not stage.within_reach:
                break
            states = stage.observe()
            if step in BRANCH_AT and np.linalg.norm(stage.drive.commanded - stage.object) < NEAR:
                actions, truth = _alternatives(stage, rng)
                found.append(Branching(seed, actions, truth, {label: state.mean for label, state in states.items()}))
            stage.act(explore.action(stage.drive.commanded, stage.object))
    stage.close()
    return found


def _alternatives(stage: Stage, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Run sequences from here for real -> executed actions (K, H, 2), object positions (K, H, 2) [m]."""
    actions = np.zeros((SEQUENCES, HORIZONS[-1], 2), np.float32)
    truth = np.zeros(actions.shape)
    with stage.drive.saved() as restore:
        for k in range(SEQUENCES):
            restore()
            explore, line = make_explorer(TASK, REACH, rng), _line(stage.drive.commanded, stage.object, rng)
            for step in range(HORIZONS[-1]):
                tool, object_xy = stage.drive.commanded, stage.object
                action = line if k % 2 else explore.action(tool, object_xy)
                actions[k, step], truth[k, step] = stage.drive.act(action), stage.object
        restore()
    return actions, truth


def _line(tool: np.ndarray, object_xy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An action (2,) straight from the tool to a point within 5 cm of the object, at half to full speed."""
    towards = object_xy + rng.uniform(-0.05, 0.05, 2) - tool
    return rng.uniform(0.5, 1.0) * towards / max(float(np.linalg.norm(towards)), ACTION_SCALE)


def _picture(found: dict[str, Differences]) -> Picture:
    figure, axes = panels(len(found))
    for axis, (label, colour) in zip(axes, colours(found).items(), strict=True):
        length = np.linalg.norm(found[label].true, axis=1)
        along = (found[label].true * found[label].imagined).sum(1) / length
        axis.axline((0, 0), slope=1, color=BASELINE, linewidth=1)
        axis.plot(100 * length, 100 * along, ".", color=colour, markersize=4, alpha=0.6)
        axis.set(title=label, xlabel="true difference [cm]", ylabel="imagined, along the true one [cm]")
    return Picture(png(figure), f"Differences after {HORIZONS[-1]} steps; below zero: the wrong way.")
