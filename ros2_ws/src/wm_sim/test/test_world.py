"""World files: the shipped ones load, broken ones are refused by file and field."""

import numpy as np
import pytest
import yaml

from wm_core.paths import rig_path, worlds_dir
from wm_core.rig import CameraRig
from wm_core.task import TaskError, load_task, task_path
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


def practising(tmp_path, **practice):
    """The shipped task with another region of practice."""
    data = yaml.safe_load(task_path("push").read_text())
    data["regions"]["practice"] |= practice
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(data))
    return load_task(file)


@pytest.mark.parametrize("path", sorted(worlds_dir().glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_task_practises_all_over_the_shipped_worlds(path):
    whole, narrowed = load_world(path), load_world(path, "push")
    for own, left in ((whole.start, narrowed.start), (whole.goal, narrowed.goal)):
        assert np.array_equal(own.lower, left.lower) and np.array_equal(own.upper, left.upper)


def test_objects_start_and_goals_lie_where_the_task_practises(tmp_path):
    world = load_world("tabletop_block").practised(practising(tmp_path, y=[0.05, 0.30]))
    for region in (world.start, world.goal):
        assert region.lower.tolist() == [0.38, 0.05] and region.upper.tolist() == [0.62, 0.20]


@pytest.mark.parametrize(
    ("practice", "expected"),
    [
        ({"x": [0.4, 5.0]}, r"mine.yaml: regions.practice.x: expected a region on the table of tabletop_block, .* got 0.4 to 5 m"),
        ({"y": [0.22, 0.30]}, r"regions.practice.y: expected a region that overlaps .* `start` is -0.2 to 0.2 m, got 0.22 to 0.3 m"),
        ({"x": [0.48, 0.52], "y": [0.0, 0.05]}, r"regions.practice: expected room for goals 0.1 m from the start"),
    ],
)  # fmt: skip
def test_a_region_of_practice_that_leaves_nothing_is_refused(tmp_path, practice, expected):
    with pytest.raises(TaskError, match=expected):
        load_world("tabletop_block").practised(practising(tmp_path, **practice))
