"""Scenes: what a bundle estimates comes back by name, the rest is held or not known; goals measure a scene."""

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wm_core.futures import Futures
from wm_core.goal import AllOf, ExploreGoal, GoalError, ImageGoal, PoseGoal, RelationGoal, ZoneGoal
from wm_core.layout import LayoutError
from wm_core.scene import SceneState, ToolState, rotation_of, scene_of
from wm_core.specs import ActionSpec, BevSpec, ObservationSpec, SpecError, StateSpec
from wm_core.specs_schema import OBJECT_FIELDS, TOOL_FIELDS

ONE = StateSpec(1, ("x", "y"), ("x", "y"), 12, {"z": 0.0})
TWO = StateSpec(2, ("x", "y", "z", "yaw"), ("x", "y", "z", "opening"), 3)
PUSH = ActionSpec({"x": 0.03, "y": 0.03}, (("x", "y"),), {"z": 0.027})
upright = st.lists(st.sampled_from(("x", "y", "z", "yaw", "vx", "wz")), min_size=1, unique=True).map(tuple)
tools = st.lists(st.sampled_from(TOOL_FIELDS), min_size=1, unique=True).map(tuple)


def scene(*objects):
    """A scene of objects (name, position, size, yaw)."""
    found = SceneState.unknown([name for name, *_ in objects])
    for slot, (_, position, size, yaw) in enumerate(objects):
        found.position[slot], found.size[slot], found.rotation[slot] = position, size, rotation_of(yaw)
    return found


# Layouts of a bundle's arrays


def test_one_object_and_two_axes_lie_as_in_the_first_version():
    assert ONE.latent.names[:6] == ("object.x", "object.y", "tool.x", "tool.y", "lag.x", "lag.y")
    assert (ONE.latent.size, ONE.readout.size, ONE.proprio.size, ONE.embedding(12).size) == (18, 4, 4, 17)
    assert ONE.embedding(12).slice("log_variance") == slice(2, 4)
    assert ONE.embedding(12).slice("visibility") == slice(4, 5)


def test_parts_are_views_by_name():
    latent = np.arange(18.0)
    ONE.object_position(latent)[:] = [7, 8]
    np.testing.assert_array_equal(latent[:4], [7, 8, 2, 3])
    np.testing.assert_array_equal(ONE.tool_position(latent), [2, 3])
    np.testing.assert_array_equal(TWO.readout.of(np.arange(12), "object", ("yaw", "x"), slot=1), [7, 4])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("hand", None, 0), "expected a part out of .*'object'.*, got 'hand'"),
        (("object", ("z",), 0), "expected fields of object out of .*, got .'z'"),
        (("object", None, 1), "expected a slot of object below 1, got 1"),
    ],
)
def test_what_a_layout_does_not_have_is_said(asked, message):
    with pytest.raises(LayoutError, match=message):
        ONE.latent.columns(*asked)


@given(st.integers(1, 5), upright, tools, st.integers(0, 20))
def test_a_state_specification_survives_a_file_and_covers_its_arrays(objects, fields, tool, own):
    spec = StateSpec(objects, fields, tool, own)
    assert StateSpec.from_dict(yaml.safe_load(yaml.safe_dump(spec.to_dict()))) == spec
    assert len(set(spec.latent.names)) == spec.latent.size == objects * len(fields) + 2 * len(tool) + own


@given(st.integers(0, 40), st.booleans(), st.dictionaries(st.text("ab", min_size=1), st.integers(1, 9)))
def test_an_observation_specification_survives_a_file(features, with_map, vectors):
    images = {} if vectors or with_map else {"side": (64, 64, 4)}
    spec = ObservationSpec(features, BevSpec() if with_map else None, images, vectors)
    assert ObservationSpec.from_dict(yaml.safe_load(yaml.safe_dump(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fields": ["x", "roll"]}, r"state\.fields\.1: 'roll'"),
        ({"fields": ["yaw", "qx", "qy", "qz", "qw"]}, "yaw or a full rotation"),
        ({"held": {"x": 1.0}}, "held: expected fields that are not estimated"),
        ({"objects": 0}, r"state\.objects"),
        ({"magic": 1}, "magic"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused_by_name(change, message):
    with pytest.raises(SpecError, match=message):
        StateSpec.from_dict({**ONE.to_dict(), **change})


def test_an_encoder_that_wants_nothing_is_refused():
    with pytest.raises(SpecError, match="observation"):
        ObservationSpec.from_dict({"features": 3})


# Scenes


@given(st.integers(1, 4), upright, st.integers(0, 2**32 - 1))
def test_what_is_estimated_comes_back_by_name(objects, fields, seed):
    spec = StateSpec(objects, fields, ("x", "y"), 2)
    rng = np.random.default_rng(seed)
    values, variance = rng.uniform(-3, 3, (5, spec.latent.size)), rng.uniform(0, 1, (5, spec.latent.size))
    found = scene_of(spec, values, variance)
    for slot in range(objects):
        for name in fields:
            want = spec.latent.of(values, "object", (name,), slot)[..., 0]
            if name == "yaw":
                np.testing.assert_allclose(found.yaw[..., slot], want, atol=1e-12)
            elif name in "xyz":
                np.testing.assert_array_equal(found.position[..., slot, "xyz".index(name)], want)
                spread = spec.latent.of(variance, "object", (name,), slot)[..., 0]
                np.testing.assert_array_equal(found.std((name,))[..., slot, 0], np.sqrt(spread))
            else:
                np.testing.assert_array_equal(found.velocity[..., slot, OBJECT_FIELDS[8:].index(name)], want)


def test_what_is_not_estimated_is_held_or_not_known():
    found = scene_of(ONE, np.arange(18, dtype=np.float32))
    np.testing.assert_array_equal(found.position, [[0, 1, 0]])
    assert np.isnan(found.rotation).all() and np.isnan(found.variance).all()
    assert found.presence.tolist() == [1.0] and found.identities == ("object_0",)
    assert found.position.dtype == np.float32


def test_an_object_is_found_by_its_name():
    two = scene(("mug", [0, 0, 0], [1, 1, 1], 0), ("object_3", [1, 0, 0], [1, 1, 1], 0))
    assert (two.slot("object_3"), scene(("mug", [0] * 3, [1] * 3, 0)).slot()) == (1, 0)
    with pytest.raises(SpecError, match="expected an object out of .*'mug', 'object_3'.*, got ''"):
        two.slot()


def test_arrays_of_other_shapes_are_refused():
    found = SceneState.unknown(["a", "b"])
    with pytest.raises(SpecError, match=r"expected position of shape \(2, 3\), got \(1, 3\)"):
        SceneState(found.presence, found.position[:1], *(getattr(found, n) for n in ("rotation", "velocity")),
                   found.variance, found.size, found.shape, found.appearance, ("a", "b"))  # fmt: skip
    with pytest.raises(SpecError, match="expected a tool state"):
        ToolState(np.zeros(2))


# Futures


def test_futures_say_scene_and_tool_by_name():
    readout = np.random.default_rng(0).uniform(size=(4, 3, 5, 4)).astype(np.float32)
    futures = Futures(ONE, PUSH, readout, readout[..., :2] ** 2, {"final": np.zeros((4, 3, 18))}, readout[0, :1, 0])
    np.testing.assert_array_equal(futures.scene.position[..., 0, :2], readout[..., :2])
    np.testing.assert_array_equal(futures.tool.xy, readout[..., 2:])
    assert (futures.tool.values[..., 2] == np.float32(0.027)).all()
    np.testing.assert_array_equal(futures.mean_object(), readout[..., :2].mean(0))
    np.testing.assert_array_equal(futures.epistemic_std(), np.sqrt(readout[..., :2].var(0).max(-1)))
    assert np.shares_memory(futures.object(), readout) and np.shares_memory(futures.tool_at(), readout)
    assert futures.steps.tolist() == [1, 2, 3, 4, 5]


# Goals


def test_an_object_is_where_it_shall_be():
    goal = PoseGoal({"x": 0.5, "y": 0.1}, tolerance=0.02)
    at = scene(("block", [0.53, 0.14, 0.3], [0.06] * 3, 1.0))
    assert goal.distance(at) == pytest.approx(0.05)
    assert not goal.reached(at)
    assert goal.reached(scene(("block", [0.51, 0.1, 9.9], [0.06] * 3, 1.0)))


def test_a_turn_counts_by_the_lever_and_by_its_own_tolerance():
    goal = PoseGoal({"x": 0.0, "y": 0.0, "yaw": np.pi - 0.05}, 0.02, yaw_tolerance=0.2)
    turned = scene(("block", [0, 0, 0], [0.06] * 3, -np.pi + 0.05))
    assert goal.reached(turned)
    assert goal.distance(turned) == pytest.approx(0.08 * 2 * np.sin(0.05))
    assert not goal.reached(scene(("block", [0, 0, 0], [0.06] * 3, 0.0)))


def test_goals_judge_whole_batches():
    values = np.zeros((4, 3, 5, 4), np.float32)
    values[..., 0] = 0.3
    distance = PoseGoal({"x": 0.0, "y": 0.4}, 0.02).distance(scene_of(ONE, values))
    assert distance.shape == (4, 3, 5)
    np.testing.assert_allclose(distance, 0.5, rtol=1e-6)


MUG = ("mug", [0.5, 0.0, 0.05], [0.1, 0.1, 0.1], 0.0)


@pytest.mark.parametrize(
    ("relation", "gap", "there", "distance", "elsewhere"),
    [
        ("on", 0.0, [0.52, 0.0, 0.115], 0.05, [0.60, 0.0, 0.115]),
        ("in", 0.0, [0.5, 0.04, 0.06], 0.03, [0.5, 0.08, 0.06]),
        ("left_of", 0.02, [0.5, 0.09, 0.0], 0.01, [0.5, 0.075, 0.0]),
        ("right_of", 0.02, [0.5, -0.09, 0.0], 0.17, [0.5, 0.085, 0.0]),
        ("behind", 0.0, [0.57, 0.0, 0.0], 0.065, [0.5, 0.0, 0.0]),
        ("in_front_of", 0.0, [0.43, 0.0, 0.0], 0.065, [0.5, 0.0, 0.0]),
        ("apart", 0.2, [0.9, 0.0, 0.05], 0.1, [0.6, 0.0, 0.05]),
    ],
)
def test_objects_are_related(relation, gap, there, distance, elsewhere):
    goal = RelationGoal(relation, "block", "mug", gap)
    assert goal.reached(scene(("block", there, [0.03] * 3, 0.0), MUG))
    away = scene(("block", elsewhere, [0.03] * 3, 0.0), MUG)
    assert not goal.reached(away)
    assert goal.distance(away) == pytest.approx(distance)


def test_zones_and_all_of():
    zone = ZoneGoal({"x": 0.4}, {"x": 0.6}, "block")
    left = RelationGoal("left_of", "block", "mug")
    block = ("block", [0.7, 0.2, 0.0], [0.03] * 3, 0.0)
    assert zone.distance(scene(block, MUG)) == pytest.approx(0.1)
    both = AllOf((zone, left))
    assert both.distance(scene(block, MUG)) == pytest.approx(0.1) and not both.reached(scene(block, MUG))
    assert both.reached(scene(("block", [0.5, 0.2, 0.0], [0.03] * 3, 0.0), MUG))


def test_images_and_exploring_have_no_distance_in_a_scene():
    for goal in (ImageGoal(np.zeros((4, 4, 3), np.uint8)), ExploreGoal()):
        assert np.isnan(goal.distance(scene(MUG))) and not goal.reached(scene(MUG))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PoseGoal({}, 0.02), "expected a pose of some of"),
        (lambda: PoseGoal({"roll": 1.0}, 0.02), "roll"),
        (lambda: PoseGoal({"x": np.nan}, 0.02), "finite"),
        (lambda: PoseGoal({"x": 0.0}, 0.0), "tolerances above 0"),
        (lambda: ZoneGoal({"x": 1.0}, {"x": 0.0}), "below the upper"),
        (lambda: ZoneGoal({"x": 1.0}, {"y": 0.0}), "both bounds"),
        (lambda: RelationGoal("under", "a", "b"), "expected a relation out of"),
        (lambda: RelationGoal("on", "a", "a"), "two different objects"),
        (lambda: RelationGoal("apart", "a", "b", -1.0), "at least 0 m"),
        (lambda: AllOf(()), "at least one goal"),
    ],
)
def test_goals_without_sense_are_refused(make, message):
    with pytest.raises(GoalError, match=message):
        make()


def test_a_scene_of_one_pose_knows_nothing_else():
    found = SceneState.of_pose(np.array([0.5, 0.1, 0.02]), rotation_of(np.array(0.3)))
    np.testing.assert_array_equal(found.xy, [[0.5, 0.1]])
    assert found.presence.tolist() == [1.0] and found.yaw[0] == pytest.approx(0.3)
    assert np.isnan(found.velocity).all() and np.isnan(found.variance).all()
    assert PoseGoal({"x": 0.5, "y": 0.1, "yaw": 0.3}, 0.01, 0.1).reached(found)
