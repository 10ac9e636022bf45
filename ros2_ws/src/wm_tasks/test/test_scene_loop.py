"""The planner for scenes in its loop: noisy poses in, a verdict by the truth out; with models whose errors are known."""

import numpy as np
import pytest

from wm_core.paths import bundles_dir
from wm_core.scene_bundle import SceneBundle
from wm_dynamics.scene_model import SceneModel
from wm_planner.scene.decision import Mode, SceneSettings
from wm_planner.scene.refine import Search
from wm_sim.scene_task import load_scene_task
from wm_tasks.scenes.loop import SceneLoop
from wm_tasks.scenes.physics_model import PhysicsModel
from wm_tasks.scenes.still_model import StillModel


def run(task, seeds, model=lambda sim: StillModel(), **options):
    loop = SceneLoop(load_scene_task(task), model, **options)
    results = [loop.episode(seed) for seed in seeds]
    loop.close()
    return results


@pytest.mark.parametrize("task", ["pick_place", "stack", "into_box", "upright"])
def test_what_is_grasped_needs_no_prediction(task):
    results = run(task, range(3))
    assert sum(result.success for result in results) >= 2, [
        (each.reason, each.distance, each.steps) for each in results
    ]
    assert all(len(result.plan_ms) >= result.steps for result in results)


def test_where_nothing_moves_in_imagination_nothing_is_pushed_and_the_goal_is_given_up():
    (result,) = run("push_place", [0])
    assert not result.success and result.reason == "no motion was found that brings it nearer"
    assert Mode.PUSH.value not in result.modes


def test_with_the_simulator_as_model_an_object_is_pushed_to_its_place():
    few = SceneSettings(proposals=16, looks=1, search=Search(samples=6, iterations=1))
    (result,) = run("push_place", [1], PhysicsModel, settings=few)
    assert result.success, (result.reason, result.distance, result.modes)
    assert Mode.PUSH.value in result.modes and result.distance < 0.02


def test_with_the_shipped_bundle_an_object_is_pushed_to_its_place():
    bundle = SceneBundle.load(bundles_dir() / "scene")
    results = run("push_place", range(2), lambda sim: SceneModel(bundle, np.concatenate(sim.world.table)))
    assert any(result.success for result in results), [(each.reason, each.distance) for each in results]


def test_an_object_that_falls_off_the_table_ends_the_goal_with_the_reason():
    def knocked_off(sim, rng):
        sim.put(0, np.array([0.5, 0.0, -0.5]), np.eye(3))

    (result,) = run("push_place", [0], change=knocked_off)
    assert not result.success and result.reason == "'target' has fallen off the table"
