"""Scripts that explore and that do the task: as fast in seconds whatever the task's rate."""

import numpy as np
import pytest

from wm_core.robot import load_robot
from wm_core.task import load_task
from wm_tasks.experts import make_expert
from wm_tasks.explorers import make_explorer

TASKS = load_task("push"), load_task("push_20hz")
OBJECT = np.array([0.5, 0.0])
RADII = 0.047  # [m] of object and tool together


def velocity(task, action):
    return task.action.scaled(action) * task.rate


@pytest.mark.parametrize("tool", [(0.3, -0.2), (0.445, 0.004), (0.5, 0.06), (0.56, 0.01), (0.44, 0.05)])
def test_the_expert_moves_the_tool_as_fast_at_any_rate(tool):
    goal = np.array([0.53, 0.0])
    slow, fast = (velocity(task, make_expert(task)(np.array(tool), OBJECT, goal)) for task in TASKS)
    np.testing.assert_allclose(fast, slow, atol=1e-9)


def explored(task, episodes=100, seconds=5.0):
    """Means over episodes with an object that gives way: speed of the commanded tool [m/s], how straight on it goes from one 0.1 s to
    the next, and in what share of these the object moves."""
    reach, every = load_robot().reach_region, round(0.1 * task.rate)
    explorer = make_explorer(task, reach, np.random.default_rng(0))
    speeds, straight, moved = [], [], []
    for _ in range(episodes):
        tool, target = np.array([0.35, 0.1]), OBJECT
        places = [(tool, target)]
        for _ in range(round(seconds * task.rate)):
            following = np.clip(tool + task.action.scaled(explorer.action(tool, target)), *reach.corners)
            speeds.append(np.linalg.norm(following - tool) * task.rate)
            for share in np.linspace(0.1, 1, 10):
                away = target - tool - share * (following - tool)
                target = target + away / np.linalg.norm(away) * max(0.0, RADII - float(np.linalg.norm(away)))
            tool = following
            places.append((tool, target))
        way, pushed = np.diff(np.array(places)[::every], axis=0).swapaxes(0, 1)
        straight.append((way[1:] * way[:-1]).sum() / (way**2).sum())
        moved.append((np.linalg.norm(pushed, axis=1) > 0.002).mean())
    return np.mean(speeds), np.mean(straight), np.mean(moved)


def test_the_explorer_goes_as_far_turns_as_seldom_and_pushes_as_much_in_a_second_at_any_rate():
    (speed, straight, moved), fast = (explored(task) for task in TASKS)
    assert fast == (pytest.approx(speed, rel=0.15), pytest.approx(straight, abs=0.1), pytest.approx(moved, rel=0.3))
