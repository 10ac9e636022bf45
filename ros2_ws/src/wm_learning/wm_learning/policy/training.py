"""Training of a policy inside a trained model: what the planner does, then actor and critic in imagination."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from wm_core.bundle import Bundle
from wm_learning.families.base import OBJECT, TOOL, WorldModel
from wm_learning.families.returns import bin_loss
from wm_learning.policy.demonstrations import Demonstrations, demonstrate
from wm_learning.policy.imagination import Imagination, draw_goals
from wm_learning.policy.networks import ActorCritic
from wm_learning.training.trainer import Draw, Phase
from wm_planner.costs import CostModel
from wm_tasks.settings import REACH, TASK

COSTS = CostModel(TASK, REACH)


@dataclass(frozen=True)
class DistillSettings:
    """The planner as teacher."""

    rounds: int = 4  # in the first the planner drives, then the policy
    episodes: int = 120  # imagined per round
    length: int = 40  # steps of an imagined episode
    steps: int = 1500  # of learning per round
    batch: int = 512
    rate: float = 1e-3


@dataclass(frozen=True)
class ImagineSettings:
    """Actor and critic in imagination."""

    steps: int = 1500
    batch: int = 128
    horizon: int = 12
    discount: float = 0.95
    trace: float = 0.95  # lambda of the returns
    anchor: float = 0.5  # weight of what the planner does
    follow: float = 0.02
    rate: float = 1e-3
    validate_every: int = 100


@dataclass(frozen=True)
class PolicySettings:
    """Settings of a policy's training."""

    seed: int = 0
    threads: int = 2
    hidden: int = 256
    checkpoint_s: float = 60.0  # [s] of work that a kill may cost
    distill: DistillSettings = field(default_factory=DistillSettings)
    imagine: ImagineSettings = field(default_factory=ImagineSettings)


class PolicyTraining:
    """Phases that train `nets` in the imagination of `model`, from beliefs `starts` (n, L); `held_out` (m, L) judge it."""

    def __init__(
        self,
        nets: ActorCritic,
        model: WorldModel,
        bundle: Bundle,
        starts: np.ndarray,
        held_out: np.ndarray,
        folder: Path,
        settings: PolicySettings,
    ) -> None:
        """`bundle`: of `model`, in which the planner looks ahead. `folder`: keeps the demonstrations of each round."""
        self.nets = nets
        self.model = model
        self.settings = settings
        self._bundle = bundle
        self._starts = starts
        self._held_out = held_out
        self._folder = folder
        self._shown: Demonstrations | None = None

    def phases(self) -> list[Phase]:
        distill, imagine = self.settings.distill, self.settings.imagine
        lessons = [
            Phase(
                f"distill {round_ + 1}",
                distill.steps,
                distill.rate,
                self._copy,
                list(self.nets.actor.parameters()),
                partial(self._ask, round_),
            )
            for round_ in range(distill.rounds)
        ]
        parameters = [*self.nets.actor.parameters(), *self.nets.critics.parameters()]
        practice = Phase(
            "imagine",
            imagine.steps,
            imagine.rate,
            self._practise,
            parameters,
            partial(self._ask, distill.rounds - 1),
            self.failures,
            imagine.validate_every,
        )
        return [*lessons, practice]

    @torch.no_grad()
    def failures(self) -> float:
        """Share of goals from the held-out beliefs that the policy does not reach in imagination."""
        rng = np.random.default_rng(0)
        goals = torch.from_numpy(draw_goals(rng, self._held_out[:, OBJECT]))
        world = Imagination(self.model, np.arange(len(self._held_out)))
        return 1 - world.success(self.nets.act, torch.from_numpy(self._held_out), goals, self.settings.distill.length)

    # -- inside --------------------------------------------------------------------------------------------------

    def _ask(self, round_: int) -> None:
        """Have the demonstrations of all rounds up to `round_`; those of a round are made once, with the policy as it is then."""
        distill = self.settings.distill
        files = [self._folder / f"demonstrations_{i}.npz" for i in range(round_ + 1)]
        if not files[-1].is_file():
            rng = np.random.default_rng((self.settings.seed, round_))
            starts = self._starts[rng.choice(len(self._starts), distill.episodes)]
            pupil = self.nets.act if round_ else None
            shown = demonstrate(
                self._bundle, self.model, starts, distill.length, 1000 * round_ + self.settings.seed, pupil
            )
            shown.save(files[-1])
        self._shown = Demonstrations.load(files)

    def _lesson(self, draw: Draw, count: int) -> tuple[Tensor, Tensor, Tensor]:
        if self._shown is None:
            raise RuntimeError("expected demonstrations, none were made")
        rows = draw.rng.integers(len(self._shown.latent), size=count)
        shown = (self._shown.latent, self._shown.goal, self._shown.action)
        latent, goal, action = (draw.tensor(draw.mine(values[rows])) for values in shown)
        return latent, goal, action

    def _copy(self, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        latent, goal, action = self._lesson(draw, self.settings.distill.batch)
        loss = nn.functional.smooth_l1_loss(self.nets.act(latent, goal), action, beta=0.2)
        return loss, {"copy": loss.item()}

    def _practise(self, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """Actor and critic on imagined paths (Hafner et al. 2020, "Dream to control"): the return's slope goes through the model."""
        imagine, nets = self.settings.imagine, self.nets
        nets.follow(imagine.follow)
        start, goal, label = self._lesson(draw, imagine.batch)
        world = Imagination(self.model, draw.rng.integers(self.model.sizes.members, size=len(start)))
        latent, latents, rewards = start, [start], []
        for _ in range(imagine.horizon):
            action = nets.act(latent, goal)
            latent = world.step(latent, action)
            latents.append(latent)
            rewards.append(reward(latent, action, goal))
        returns = self._returns(latents, rewards, goal)
        weights = imagine.discount ** torch.arange(imagine.horizon, dtype=torch.float32)
        gain = (weights[:, None] * returns).mean() / (1 + returns.detach().std())
        copy = nn.functional.smooth_l1_loss(nets.act(start, goal), label, beta=0.2)
        visited = torch.cat([value.detach() for value in latents[:-1]])
        logits = nets.judge(visited, goal.repeat(imagine.horizon, 1))
        value = bin_loss(logits, returns.detach().flatten().expand(len(logits), -1)).mean()
        return value + imagine.anchor * copy - gain, {
            "value": value.item(),
            "return": returns[0].mean().item(),
            "copy": copy.item(),
        }

    def _returns(self, latents: list[Tensor], rewards: list[Tensor], goal: Tensor) -> Tensor:
        """Lambda returns (H, b) of each step, with what the slow critics say of what follows."""
        imagine, following = self.settings.imagine, self.nets.worth(latents[-1], goal)
        found = []
        for latent, gained in zip(reversed(latents[1:]), reversed(rewards), strict=True):
            ahead = self.nets.worth(latent, goal)
            following = gained + imagine.discount * ((1 - imagine.trace) * ahead + imagine.trace * following)
            found.append(following)
        return torch.stack(found[::-1])


def reward(latent: Tensor, action: Tensor, goal: Tensor) -> Tensor:
    """Minus what the planner's cost says of arriving at latents (n, L) by actions (n, 2)."""
    costs = COSTS.place_terms(latent[:, OBJECT], latent[:, TOOL], goal)
    return -(torch.stack(list(costs.values())).sum(0) + COSTS.weights["effort"] * (action**2).sum(-1))
