"""The agent: plans in the model's imagination, and trains the model on what was experienced."""

from copy import deepcopy
from typing import Any

import numpy as np
import torch

from wm_learning.online.model import Features, StateModel, descend
from wm_learning.online.objectives import GoalObjective, Objective, StateCost, ValueObjective
from wm_learning.online.replay import Replay
from wm_learning.online.settings import OnlineSettings
from wm_learning.online.task import Situation, Task
from wm_planner.planners import Planner, make_planner


class Agent:
    def __init__(
        self, task: Task, settings: OnlineSettings, cost: StateCost | None = None, features: Features | None = None
    ) -> None:
        """`cost`: of states for a goal; without it, rewards and values are learned. `features`: shown to the model beside the state."""
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.action_size = task.action_size
        self.model = StateModel(task.state_size, task.action_size, settings.dynamics, features)
        self.objective: Objective
        if cost is not None:
            self.objective = GoalObjective(cost)
        else:
            ceiling = settings.repeat * settings.values.ceiling
            self.objective = ValueObjective(self.model, task.action_size, ceiling, settings.values)
        # Planned with: the running mean of the model, which single steps of training shake.
        self._slow = deepcopy(self.model).requires_grad_(False)
        self._optimiser = torch.optim.Adam(self.model.parameters(), settings.dynamics.rate, fused=True)
        self._updates = 0
        self.begin(0)

    def begin(self, seed: int) -> None:
        """Before an episode; `seed`: of the planner's samples."""
        plan = self.settings.plan
        self._planner: Planner = make_planner(
            plan.planner,
            plan.horizon,
            self.action_size,
            seed,
            samples=plan.samples,
            iterations=plan.iterations,
            std=plan.std,
            noise_beta=plan.noise_beta,
        )
        self._last = np.zeros((plan.horizon, self.action_size), np.float32)

    @torch.inference_mode()
    def act(self, situation: Situation) -> np.ndarray:
        """The first action (A,) of the best plan."""
        state, goal = torch.from_numpy(situation.state), torch.from_numpy(situation.goal)

        def evaluate(actions: np.ndarray) -> np.ndarray:
            candidates = torch.from_numpy(np.ascontiguousarray(actions, np.float32))
            states = self._slow.imagine(state, candidates)
            costs = self.objective.costs(states, candidates, goal)
            spread, mean = torch.std_mean(costs, 0, correction=0)
            return (mean + self.settings.plan.caution * spread).numpy()

        start = self._last
        proposed = self.objective.propose(state, len(start))
        if proposed is not None:
            choices = np.stack([start, proposed.numpy()])
            start = choices[int(np.argmin(evaluate(choices)))]
        plan = self._planner.plan(evaluate, start).actions
        self._last = np.concatenate([plan[1:], plan[-1:]])
        return plan[0]

    def learn(self, replay: Replay, updates: int) -> dict[str, float]:
        """Train on what was experienced; the mean of what the last steps report."""
        dynamics = self.settings.dynamics
        self.model.normalise(replay)
        reports: list[dict[str, float]] = []
        for _ in range(updates):
            rng = np.random.default_rng((self.settings.seed, self._updates))
            loss = self.model.loss(replay.draw(rng, dynamics.members * dynamics.batch, dynamics.horizon))
            descend(self._optimiser, loss)
            self._follow()
            reports.append({"model": loss.item(), **self.objective.learn(replay, rng)})
            self._updates += 1
        recent = reports[-50:]
        return {name: float(np.mean([report[name] for report in recent])) for name in (recent[0] if recent else {})}

    @torch.no_grad()
    def _follow(self) -> None:
        for slow, fast in zip(self._slow.parameters(), self.model.parameters(), strict=True):
            slow.lerp_(fast, self.settings.dynamics.follow)
        for copy, unit in zip(self._slow.buffers(), self.model.buffers(), strict=True):
            copy.copy_(unit)

    def state_dict(self) -> dict[str, Any]:
        """All that training changes."""
        return {"updates": self._updates, **{name: part.state_dict() for name, part in self._parts().items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._updates = state["updates"]
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        return {"model": self.model, "slow_model": self._slow, "optimiser": self._optimiser, **self.objective.parts()}
