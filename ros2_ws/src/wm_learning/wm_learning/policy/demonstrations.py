"""What the planner would do: labels for latents that it, or the policy that learns from it, comes across in imagination.

Ross, Gordon and Bagnell 2011, "A reduction of imitation learning and structured prediction to no-regret online learning"
(DAgger): the pupil drives, the teacher says what it would have done.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from wm_core.bundle import Bundle
from wm_dynamics.calibration import Calibration
from wm_dynamics.rollout import RolloutEngine
from wm_learning.families.base import OBJECT, WorldModel
from wm_learning.policy.imagination import Act, Imagination, draw_goals
from wm_planner.costs import CostModel
from wm_planner.planners import make_planner
from wm_tasks.settings import REACH, TASK

NOISE = 0.25  # standard deviation of what is added to the actions taken, so that the teacher shows how to recover
MEASUREMENT = 0.0015  # [m] by which a belief is off


@dataclass(frozen=True)
class Demonstrations:
    """n situations and the planner's actions in them."""

    latent: np.ndarray  # (n, L) float32
    goal: np.ndarray  # (n, 2) float32 [m]
    action: np.ndarray  # (n, 2) float32

    def save(self, file: Path) -> None:
        """Write the file completely or not at all."""
        part = file.with_suffix(".part.npz")
        np.savez(part, latent=self.latent, goal=self.goal, action=self.action)
        part.replace(file)

    @staticmethod
    def load(files: list[Path]) -> "Demonstrations":
        parts = [np.load(file) for file in files]
        return Demonstrations(
            *(np.concatenate([part[name] for part in parts]) for name in ("latent", "goal", "action"))
        )


def demonstrate(
    bundle: Bundle,
    model: WorldModel,
    starts: np.ndarray,
    steps: int,
    seed: int,
    pupil: Act | None = None,
    iterations: int = 3,
) -> Demonstrations:
    """Ask the planner in `steps` steps of imagined episodes from latents `starts` (n, L); `pupil` drives, else the planner."""
    rng = np.random.default_rng(seed)
    engine, costs = RolloutEngine(bundle), CostModel(TASK, REACH, calibration=Calibration.of(bundle))
    goals = draw_goals(rng, starts[:, OBJECT])
    teachers = [
        make_planner("icem", bundle.horizon, bundle.action, seed + i, iterations=iterations) for i in range(len(starts))
    ]
    warm: list[np.ndarray | None] = [None] * len(starts)
    world = Imagination(model, rng.integers(model.sizes.members, size=len(starts)))
    latent = torch.from_numpy(np.asarray(starts, np.float32))
    seen_latents, labels = [], []
    for _ in range(steps):
        seen = latent.numpy().copy()
        seen[:, OBJECT] += rng.normal(0, MEASUREMENT, (len(seen), 2))
        label = np.empty((len(seen), 2), np.float32)
        for i, teacher in enumerate(teachers):

            def evaluate(actions: np.ndarray, i: int = i, seen: np.ndarray = seen) -> np.ndarray:
                return costs.cost(engine.rollout(seen[i], actions), actions, goals[i])

            plan = teacher.plan(evaluate, warm[i]).actions
            warm[i] = np.concatenate([plan[1:], plan[-1:]])
            label[i] = plan[0]
        seen_latents.append(seen)
        labels.append(label)
        taken = torch.from_numpy(label)
        if pupil is not None:
            with torch.no_grad():
                taken = pupil(torch.from_numpy(seen), torch.from_numpy(goals))
        noise = torch.from_numpy(rng.normal(0, NOISE, taken.shape).astype(np.float32))
        taken = taken + noise
        with torch.no_grad():
            latent = world.step(latent, taken / torch.linalg.vector_norm(taken, dim=-1, keepdim=True).clamp(min=1))
    return Demonstrations(np.concatenate(seen_latents), np.tile(goals, (steps, 1)), np.concatenate(labels))
