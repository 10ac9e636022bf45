"""World files: the shipped ones load, broken ones are refused by file and field."""

import numpy as np
import pytest
import yaml

from wm_core.paths import rig_path, worlds_dir
from wm_core.rig import CameraRig
from wm_sim.world import Light, WorldError, load_world


@pytest.mark.parametrize("path", sorted(worlds_dir().glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_worlds_load(path):
    world = load_world(path)
    assert world.name == path.stem
    assert CameraRig.load(rig_path(world.rig)).cameras
    assert load_world(path.stem).parts == world.parts


@pytest.mark.parametrize(
    ("field", "value"),
    [("object.mass", -1), ("object.parts", []), ("table.size", [1]), ("start.lower", [9, 9]), ("goal.extra", 1)],
)
def test_a_broken_field_is_named(tmp_path, field, value):
    data = yaml.safe_load((worlds_dir() / "tabletop_block.yaml").read_text())
    section, key = field.split(".")
    data[section][key] = value
    file = tmp_path / "broken.yaml"
    file.write_text(yaml.safe_dump(data))
    with pytest.raises(WorldError) as caught:
        load_world(file)
    assert "broken.yaml" in str(caught.value) and section in str(caught.value)


def test_a_missing_world_names_the_known_ones():
    with pytest.raises(WorldError, match="tabletop_block"):
        load_world("tabletop_unicorn")


def test_text_that_is_not_yaml(tmp_path):
    (tmp_path / "x.yaml").write_text("{: [")
    with pytest.raises(WorldError, match="expected YAML"):
        load_world(tmp_path / "x.yaml")


def test_goals_keep_their_distance():
    world = load_world("tabletop_disk")
    rng = np.random.default_rng(0)
    start = np.array([0.5, 0.0])
    assert all(np.linalg.norm(world.draw_goal(rng, start) - start) >= world.min_distance for _ in range(100))


def test_fixtures_and_light_are_read(tmp_path):
    data = yaml.safe_load((worlds_dir() / "tabletop_block.yaml").read_text())
    data["fixtures"] = [{"shape": "box", "size": [0.1, 0.1, 0.2], "position": [0.5, 0.3, 0.1], "colour": [0, 0, 1]}]
    data["light"] = {"ambient": 0.3}
    file = tmp_path / "dim.yaml"
    file.write_text(yaml.safe_dump(data))
    world = load_world(file)
    assert world.fixtures[0].size == (0.1, 0.1, 0.2) and world.fixtures[0].collides
    assert world.light == Light(ambient=0.3)
