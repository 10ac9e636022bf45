"""Tasks in scenes: every shipped file is drawn, wrong ones are named, and a script that sees the truth does some of them."""

import numpy as np
import pytest

from wm_core.goal import PoseGoal
from wm_core.task import TaskError
from wm_planner.scene.space import region_within
from wm_sim.scene_draw import draw_episode
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_task import LIMIT, load_scene_task, scene_task_names, scene_tasks_dir
from wm_tasks.scenes.experts import RandomMotions, ScriptedExpert
from wm_tasks.scenes.loop import SceneLoop


def expert(loop: SceneLoop) -> ScriptedExpert:
    lower, upper = loop.driver.lower, loop.driver.upper
    region = region_within(lower, upper)
    return ScriptedExpert(loop.sim.hand, lower, upper, LIMIT, loop.task.axes, region)


@pytest.mark.parametrize("name", scene_task_names())
def test_every_shipped_task_draws_starts_that_are_not_solved(name):
    task = load_scene_task(name)
    sim = SceneSim(task.world)
    for seed in range(2):
        episode = draw_episode(task, sim, seed)
        assert episode.names == tuple(each.name for each in task.objects)
        if not any(goal.stays for goal in task.goals):
            assert not episode.goal.reached(sim.scene) and episode.goal.distance(sim.scene) > task.success.tolerance / 2
        assert bool(episode.velocity) == (task.slide is not None)
    again = draw_episode(task, sim, 0).goal
    assert repr(again) == repr(draw_episode(task, sim, 0).goal)
    sim.close()


@pytest.mark.parametrize("name", ["push_place", "pick_place", "stack"])
def test_a_script_that_sees_the_truth_does_it(name):
    loop = SceneLoop(load_scene_task(name))
    results = [loop.episode(seed, expert(loop)) for seed in range(3)]
    loop.close()
    assert sum(result.success for result in results) >= 2, [
        (each.reason, each.distance, each.others) for each in results
    ]


def test_random_motions_do_not():
    loop = SceneLoop(load_scene_task("push_pose"))
    result = loop.episode(0, RandomMotions(LIMIT, 0))
    loop.close()
    assert not result.success and result.steps == 300


def test_a_goal_about_a_pose_has_the_tolerances_of_the_task():
    task = load_scene_task("push_pose")
    sim = SceneSim(task.world)
    goal = draw_episode(task, sim, 3).goal
    sim.close()
    assert isinstance(goal, PoseGoal) and goal.tolerance == 0.02 and goal.yaw_tolerance == 0.1
    assert np.linalg.norm(goal.position - sim.world.start.region.lower) > 0


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (("object: target, distance", "object: cup, distance"), "goals.0: expected an object out of"),
        (("distance: [0.10, 0.25]", "distance: 0.1"), "goals.0.distance"),
        (("world: single", "world: moon"), "expected a file of a scene"),
        (("kinds: [box,", "kinds: [teapot,"), "expected a kind of objects"),
        (("time_limit: 20.0", "time_limit: 0"), "time_limit"),
        (("axes: [x,", "axes: [w, x,"), "axes.0"),
    ],
)
def test_a_wrong_file_is_refused_by_its_field(tmp_path, change, error):
    text = (scene_tasks_dir() / "push_place.yaml").read_text()
    assert change[0] in text
    (tmp_path / "wrong.yaml").write_text(text.replace(*change))
    with pytest.raises(ValueError, match=error):
        load_scene_task(tmp_path / "wrong.yaml")
    with pytest.raises(TaskError, match="known tasks: .*push_pose"):
        load_scene_task("juggle")


def test_tasks_are_gymnasium_environments():
    import gymnasium
    from gymnasium.utils.env_checker import check_env

    import wm_tasks.scenes.env

    env = gymnasium.make("wm/two_poses-v0")
    assert isinstance(env.unwrapped, wm_tasks.scenes.env.SceneEnv)
    check_env(env.unwrapped, skip_render_check=True, skip_close_check=True)
    first, _ = env.reset(options={"scene": 3})
    again, _ = env.reset(options={"scene": 3})
    np.testing.assert_array_equal(first["objects"], again["objects"])
    observation, reward, terminated, truncated, info = env.step(np.zeros(6))
    assert observation["goal"].shape == (8,) and reward == -info["distance"] and not (terminated or truncated)
    with pytest.raises(ValueError, match="expected an action of 6 finite numbers"):
        env.unwrapped.step(np.full(6, np.nan))
    env.close()
