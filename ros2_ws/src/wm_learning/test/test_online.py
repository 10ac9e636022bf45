"""Learning online: a point that is pushed about, with a goal and with rewards, in the loop of collecting, training and planning."""

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from wm_learning.online.agent import Agent
from wm_learning.online.loop import OnlineTraining, judge, play, random_policy
from wm_learning.online.objectives import goal_distance
from wm_learning.online.replay import Episode, Replay
from wm_learning.online.settings import Dynamics, Explore, OnlineSettings, Plan, Values
from wm_learning.online.task import Task, ball_to_box


class Point(gymnasium.Env):
    """A mass on a table; actions are forces in newtons, up to 2. It is to come within 10 cm of a goal in 30 steps."""

    action_space = spaces.Box(-2.0, 2.0, (2,), np.float32)

    def __init__(self, goals: bool = True) -> None:
        self._goals = goals
        box = spaces.Box(-10.0, 10.0, (2,), np.float32)
        names = ("observation", "achieved_goal", "desired_goal")
        self.observation_space = (
            spaces.Dict(dict.fromkeys(names, box))
            if goals
            else spaces.Dict(dict.fromkeys(("to_goal", "velocity"), box))
        )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        super().reset(seed=seed)
        self.position, self.goal = self.np_random.uniform(-1, 1, (2, 2))
        self.velocity, self.steps = np.zeros(2), 0
        return self.observe(), {"is_success": self.solved()}

    def step(self, action: np.ndarray) -> tuple[dict, float, bool, bool, dict]:
        self.velocity = 0.8 * self.velocity + 0.05 * action
        self.position = self.position + self.velocity
        self.steps += 1
        solved = self.solved()
        reward = float(np.exp(-2 * np.linalg.norm(self.position - self.goal)))
        return self.observe(), reward, solved and self._goals, self.steps == 30, {"is_success": solved}

    def solved(self) -> bool:
        return bool(np.linalg.norm(self.position - self.goal) < 0.1)

    def observe(self) -> dict[str, np.ndarray]:
        if self._goals:
            values = {"observation": self.velocity, "achieved_goal": self.position, "desired_goal": self.goal}
        else:
            values = {"to_goal": self.goal - self.position, "velocity": self.velocity}
        return {name: value.astype(np.float32) for name, value in values.items()}


SMALL = OnlineSettings(
    steps=300,
    dynamics=Dynamics(members=2, hidden=32, batch=32),
    values=Values(hidden=32, critics=2, batch=64, discount=0.9, rate=3e-3, follow=0.02),
    plan=Plan(horizon=6, samples=32, iterations=2),
    explore=Explore(random_steps=100, noise_steps=400),
)


def episode(length: int, terminated: bool = False, first: float = 0.0) -> Episode:
    """State and reward count the steps."""
    count = np.arange(first, first + length + 1, dtype=np.float32)
    return Episode(count[:, None], np.zeros((length, 2), np.float32), count[1:], terminated, terminated)


def test_a_goal_environment_is_a_state_that_ends_with_the_achieved_goal():
    task = Task(Point())
    start = task.reset(3)
    assert (task.state_size, task.goal_size, task.action_size) == (4, 2, 2)
    assert goal_distance(torch.from_numpy(start.state), torch.from_numpy(start.goal)).item() == pytest.approx(
        np.linalg.norm(task.env.unwrapped.position - start.goal), abs=1e-6
    )


def test_other_observations_are_flattened_and_have_no_goal():
    task = Task(Point(goals=False))
    assert (task.state_size, task.goal_size) == (4, 0)


def test_full_actions_reach_the_whole_box_of_the_environment():
    task = Task(Point(), repeat=3)
    task.reset(0)
    corner = np.full(2, 0.5**0.5)
    assert ball_to_box(corner) == pytest.approx([1, 1])
    assert ball_to_box(np.array([0.6, 0.0])) == pytest.approx([0.6, 0.0])
    assert (ball_to_box(np.zeros(2)) == 0).all()
    task.step(corner)
    assert task.env.unwrapped.steps == 3
    assert task.env.unwrapped.velocity == pytest.approx(0.1 * (1 + 0.8 + 0.64) * np.ones(2))


def test_actions_that_are_no_box_are_refused():
    with pytest.raises(ValueError, match="expected a bounded box of actions, got Discrete"):
        Task(gymnasium.make("CartPole-v1"))


def test_windows_stay_within_their_episode():
    replay = Replay()
    replay.add(episode(3, terminated=True))
    replay.add(episode(5, first=100.0))
    windows = replay.draw(np.random.default_rng(0), 200, 4)
    weights = windows.weights.bool()
    following = windows.states[:, 1:, 0]
    assert torch.equal(following[weights], windows.rewards[weights])
    assert ((following - windows.states[:, :1, 0])[weights] == torch.arange(1, 5).expand(200, -1)[weights]).all()
    assert torch.equal(windows.terminal.bool() & weights, (following == 3) & weights)
    assert weights[:, 0].all() and not weights.all()


def test_the_model_learns_motion_and_is_shown_features_beside_the_state():
    task, replay = Task(Point()), Replay()
    agent = Agent(task, SMALL, goal_distance, features=lambda states: states[..., :2] - states[..., 2:])
    for seed in range(10):
        replay.add(play(task, task.reset(seed), random_policy(np.random.default_rng(seed), 2)))
    agent.learn(replay, 200)
    windows = replay.draw(np.random.default_rng(1), 50, 3)
    whole = windows.weights.all(1)
    states = torch.cat(
        [agent.model.imagine(*pair) for pair in zip(windows.states[:, 0], windows.actions[:, None], strict=True)], 1
    )
    error = (states.mean(0) - windows.states)[whole, -1, 2:].abs().mean()
    moved = (windows.states[:, -1] - windows.states[:, 0])[whole, 2:].abs().mean()
    assert agent.model.inputs == 6
    assert error < 0.2 * moved


def test_it_learns_to_reach_goals():
    task = Task(Point())
    agent = Agent(task, SMALL, goal_distance)
    OnlineTraining(task, agent).run()
    floor = judge(task, lambda seed: random_policy(np.random.default_rng(seed), 2), 10_000, 10)
    scores = judge(task, lambda seed: agent.act, 10_000, 10)
    assert all(score.success for score in scores)
    assert sum(score.success for score in floor) < 7
    assert sum(not score.solved_start for score in scores) == 10


def test_it_learns_from_rewards_what_states_are_worth():
    task = Task(Point(goals=False))
    settings = replace(SMALL, steps=600, updates=0.5, plan=replace(SMALL.plan, planner="mppi", horizon=3))
    agent = Agent(task, settings)
    OnlineTraining(task, agent).run()

    def score(policy) -> float:
        return np.mean([score.score for score in judge(task, policy, 10_000, 10)])

    assert score(lambda seed: agent.act) > 1.3 * score(lambda seed: random_policy(np.random.default_rng(seed), 2))


def test_a_training_that_was_cut_off_goes_on_to_the_same_result(tmp_path):
    def train(file, steps: int) -> OnlineTraining:
        task = Task(Point())
        training = OnlineTraining(task, Agent(task, replace(SMALL, steps=steps), goal_distance), file)
        training.run(save_every=3)
        return training

    whole = train(tmp_path / "whole.pt", 200)

    def interrupt(progress):
        if progress.episodes == 5:
            raise KeyboardInterrupt

    task = Task(Point())
    with pytest.raises(KeyboardInterrupt):
        OnlineTraining(task, Agent(task, replace(SMALL, steps=200), goal_distance), tmp_path / "cut.pt").run(
            interrupt, 3
        )
    resumed = train(tmp_path / "cut.pt", 200)
    assert resumed.steps == whole.steps
    assert [each.losses for each in resumed.history] == [each.losses for each in whole.history]
    assert np.array_equal(resumed.replay.array("state"), whole.replay.array("state"))
    for mine, other in zip(resumed.agent.model.parameters(), whole.agent.model.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    task, file = Task(Point()), tmp_path / "training.pt"
    settings = replace(SMALL, steps=60)
    OnlineTraining(task, Agent(task, settings, goal_distance), file).run()
    with pytest.raises(ValueError, match=r"training\.pt: expected a training with the same settings"):
        OnlineTraining(task, Agent(task, replace(settings, seed=1), goal_distance), file)


def test_an_episode_ends_at_its_limit():
    task = Task(Point())
    assert len(play(task, task.reset(1), random_policy(np.random.default_rng(0), 2), 7).actions) == 7
