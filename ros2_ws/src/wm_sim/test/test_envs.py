"""The Gymnasium environments pass gymnasium's own checker, and a push pays."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import wm_sim.envs  # noqa: F401  (registers)

IDS = ("wm_sim/PushBlock-v0", "wm_sim/PushMug-v0", "wm_sim/PushDisk-v0")


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.filterwarnings("error::UserWarning")
def test_environment_checker(env_id):
    env = gymnasium.make(env_id, render_mode="rgb_array")
    check_env(env.unwrapped)
    env.close()


def test_pushing_towards_the_goal_raises_the_reward_until_success():
    env = gymnasium.make(IDS[0])
    observation, info = env.reset(seed=1, options={"object_xy": (0.45, 0.0), "goal_xy": (0.56, 0.0)})
    assert observation["camera_left_rgb"].shape == (128, 128, 3)
    rewards, terminated = [-info["distance"]], False
    while not terminated and len(rewards) < 30:
        _, reward, terminated, _, info = env.step(np.array([0.6, 0.0], np.float32))
        rewards.append(reward)
    env.close()
    assert terminated and info["is_success"]
    assert rewards[-1] > rewards[0]


def test_episodes_are_cut_and_the_tool_stays_in_reach():
    env = gymnasium.make(IDS[2])
    env.reset(seed=0, options={"object_xy": (0.6, 0.2), "goal_xy": (0.4, -0.2)})
    steps, truncated = 0, False
    while not truncated:
        observation, _, terminated, truncated, _ = env.step(np.array([-1.0, -1.0]))
        steps += 1
        assert not terminated
    env.close()
    assert steps == 100
    assert np.allclose(observation["ee"], [0.28, -0.32, 0.28, -0.32], atol=3e-3)


def test_bad_actions_are_refused():
    env = gymnasium.make(IDS[0]).unwrapped
    env.reset(seed=0)
    with pytest.raises(ValueError, match="2 finite numbers"):
        env.step(np.array([np.nan, 0.0]))
    env.close()


def test_without_images_only_joints_tool_and_goal_are_observed():
    env = gymnasium.make(IDS[0], images=False)
    observation, _ = env.reset(seed=1)
    assert sorted(observation) == ["ee", "goal", "joints"]
    check_env(env.unwrapped)
    env.close()
