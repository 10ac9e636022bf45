"""The loop: collect an episode, train on all of them, plan the next."""

import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wm_learning.online.agent import Agent
from wm_learning.online.replay import Episode, Replay
from wm_learning.online.task import Situation, Task
from wm_planner.planners.base import to_unit_disk
from wm_tasks.settings import TRAINING_SEEDS

Policy = Callable[[Situation], np.ndarray]  # actions (A,), |a| <= 1


@dataclass(frozen=True)
class Progress:
    """Where a training stands after an episode; times are of all processes that brought it there."""

    steps: int  # of the environment
    episodes: int
    success: bool
    score: float  # sum of rewards
    seconds: float
    cpu_seconds: float
    losses: dict[str, float]


_CLOCKS = {"seconds": time.monotonic, "cpu_seconds": time.process_time}


class OnlineTraining:
    """Resumes at the last saved episode: the randomness of an episode and of an update comes from the seed and its number."""

    def __init__(self, task: Task, agent: Agent, checkpoint: Path | None = None) -> None:
        self.task = task
        self.agent = agent
        self.replay = Replay()
        self.history: list[Progress] = []
        self._checkpoint = checkpoint
        if checkpoint is not None and checkpoint.is_file():
            self._load(checkpoint)

    @property
    def steps(self) -> int:
        """Of the environment, so far."""
        return self.history[-1].steps if self.history else 0

    def run(self, report: Callable[[Progress], None] = lambda progress: None, save_every: int = 20) -> None:
        """Until the steps of the settings are spent; `report` is called after each episode."""
        settings, before = self.agent.settings, self.history[-1:]
        began = [clock() - sum(getattr(last, name) for last in before) for name, clock in _CLOCKS.items()]
        while self.steps + settings.repeat <= settings.steps:
            rng = np.random.default_rng((settings.seed, len(self.history)))
            start = self._start(rng)
            self.agent.begin(int(rng.integers(2**31)))
            episode = play(self.task, start, self._explorer(rng), (settings.steps - self.steps) // settings.repeat)
            self.replay.add(episode)
            losses = self.agent.learn(self.replay, round(settings.updates * len(episode.actions)))
            wall, cpu = (clock() - zero for clock, zero in zip(_CLOCKS.values(), began, strict=True))
            self.history.append(
                Progress(
                    self.steps + settings.repeat * len(episode.actions),
                    len(self.history) + 1,
                    episode.success,
                    float(episode.rewards.sum()),
                    wall,
                    cpu,
                    losses,
                )
            )
            if self._checkpoint is not None and len(self.history) % save_every == 0:
                self._save(self._checkpoint)
            report(self.history[-1])
        if self._checkpoint is not None:
            self._save(self._checkpoint)

    def _start(self, rng: np.random.Generator) -> Situation:
        """A start that is not solved already."""
        while (start := self.task.reset(int(rng.integers(TRAINING_SEEDS)))).success:
            pass
        return start

    def _explorer(self, rng: np.random.Generator) -> Policy:
        explore, size, steps = self.agent.settings.explore, self.task.action_size, self.steps
        if steps < explore.random_steps:
            return random_policy(rng, size)
        share = min(1.0, steps / explore.noise_steps)
        noise = explore.noise + share * (explore.noise_end - explore.noise)
        return lambda situation: to_unit_disk(self.agent.act(situation) + noise * rng.standard_normal(size))

    def _save(self, file: Path) -> None:
        state = {
            "settings": self._settings(),
            "agent": self.agent.state_dict(),
            "replay": self.replay.state_dict(),
            "history": [asdict(progress) for progress in self.history],
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".{file.name}.{os.getpid()}.part")
        torch.save(state, part)
        part.replace(file)

    def _load(self, file: Path) -> None:
        state = torch.load(file, weights_only=True)
        if state["settings"] != self._settings():
            raise ValueError(
                f"{file}: expected a training with the same settings, it has others; remove it to begin anew"
            )
        self.agent.load_state_dict(state["agent"])
        self.replay.load_state_dict(state["replay"])
        self.history = [Progress(**progress) for progress in state["history"]]

    def _settings(self) -> dict[str, Any]:
        """What must be the same to go on; the number of steps may grow."""
        settings = asdict(self.agent.settings)
        del settings["steps"]
        return settings


def play(task: Task, start: Situation, policy: Policy, limit: float = math.inf) -> Episode:
    """An episode from a start, of at most `limit` actions."""
    situation, states = start, [start.state]
    actions: list[np.ndarray] = []
    rewards: list[float] = []
    while len(actions) < limit and not situation.ended:
        action = policy(situation)
        situation = task.step(action)
        states.append(situation.state)
        actions.append(np.asarray(action, np.float32))
        rewards.append(situation.reward)
    return Episode(
        np.stack(states), np.stack(actions), np.array(rewards, np.float32), situation.terminated, situation.success
    )


def random_policy(rng: np.random.Generator, size: int) -> Policy:
    """Actions drawn evenly: the floor under every comparison."""
    return lambda situation: to_unit_disk(rng.uniform(-1, 1, size))


@dataclass(frozen=True)
class Score:
    """How a policy does in an episode from a seed."""

    seed: int
    solved_start: bool  # the goal was reached before the first action: not counted
    success: bool
    score: float  # sum of rewards
    steps: int  # actions


def judge(task: Task, policy: Callable[[int], Policy], first: int, episodes: int) -> list[Score]:
    """Episodes from the seeds `first` on; starts that are solved already are among the scores and do not count as episodes.

    `policy`: the policy of an episode, by its seed.
    """
    scores: list[Score] = []
    while episodes:
        seed = first + len(scores)
        start = task.reset(seed)
        if start.success:
            scores.append(Score(seed, True, True, 0.0, 0))
            continue
        episode = play(task, start, policy(seed))
        scores.append(Score(seed, False, episode.success, float(episode.rewards.sum()), len(episode.actions)))
        episodes -= 1
    return scores
