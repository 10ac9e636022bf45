"""A bundle of scenes from nothing: worlds are collected, a model is trained, and what is there already is kept."""

from wm_core.scene_bundle import SceneBundle
from wm_learning.families.scene.export import network_of
from wm_learning.pipelines.reproduce_scene import COLLECTED, reproduce_scene
from wm_sim.scene_world import load_scene_world

FEW = {"members": 2, "hidden": 16, "messages": 8, "effort": 1e-4}
CROWDS = (("piles", 2, 720_000),)


def test_a_bundle_is_made_from_nothing_and_not_collected_twice(tmp_path):
    collected = (("single", 3, 0), ("tall", 2, 1000))
    bundle = reproduce_scene(tmp_path, tmp_path / "bundle", 1, collected, FEW, CROWDS, 2)
    made = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "scenes").iterdir()}
    assert set(made) == {"single_000000.npz", "tall_001000.npz"}
    loaded = SceneBundle.load(bundle)
    assert loaded.spec["data"]["worlds"] == ["single", "tall"]
    assert network_of(loaded).config.hidden == FEW["hidden"]
    reproduce_scene(tmp_path, tmp_path / "bundle", 1, collected, FEW, CROWDS, 2)
    assert {file.name: file.stat().st_mtime_ns for file in (tmp_path / "scenes").iterdir()} == made


def test_the_shipped_recipe_names_scenes_and_draws_each_start_once():
    drawn = [(world, seed + i) for world, starts, seed in COLLECTED for i in range(starts)]
    assert len(drawn) == len(set(drawn))
    for world in {world for world, _ in drawn}:
        load_scene_world(world)
