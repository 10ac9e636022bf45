"""Scenes of several objects: stable starts, the same bytes again, and what an arm does to them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from wm_core.robot import load_robot
from wm_core.rotations import rotation_of_quaternion
from wm_core.solid import Solid
from wm_sim.kinds import Body, Piece, load_kind
from wm_sim.placing import Placed, apart, upright
from wm_sim.scene_draw import draw_episode
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_task import load_scene_task
from wm_sim.scene_world import load_scene_world
from wm_sim.tool_driver import ToolDriver
from wm_sim.world import Part, WorldError


def block(size=(0.05, 0.05, 0.05), mass=0.1) -> Body:
    pieces = (Piece("box", np.array(size), np.zeros(3), np.eye(3)),)
    return Body("block", pieces, Solid.box(size), mass, 0.6, np.zeros(3), np.full(3, 0.5), True)


@pytest.fixture(scope="module")
def sim():
    made = SceneSim(load_scene_world("clutter"))
    yield made
    made.close()


def displaced(**axes) -> np.ndarray:
    names = ("x", "y", "z", "yaw", "pitch", "opening")
    return np.array([axes.get(name, 0.0) for name in names])


@pytest.mark.parametrize("name", ["clutter", "edge", "single"])
def test_starts_of_shipped_scenes_are_at_rest_and_apart(name):
    sim = SceneSim(load_scene_world(name))
    for seed in range(3):
        sim.reset(seed)
        before = sim.scene
        assert not sim.touched()[0].any()
        sim.step(120)
        moved = np.linalg.norm(sim.scene.position - before.position, axis=1)
        assert moved.max() < 0.002, [body.body.kind for body in sim.objects]
        assert (before.position[:, 2] > 0).all() and np.isfinite(before.shape).all()
    sim.close()


def test_the_same_seed_and_moves_give_the_same_bytes(sim):
    runs = []
    for _ in range(2):
        sim.reset(4)
        driver = ToolDriver(sim, 0.1)
        for _ in range(5):
            driver.move(displaced(x=0.02, y=0.01, yaw=0.1))
        runs.append(np.concatenate([sim.scene.position.ravel(), sim.scene.rotation.ravel()]))
    np.testing.assert_array_equal(*runs)


def test_the_gripper_holds_lifts_and_puts_down(sim):
    sim.reset(0, [upright(block(), (0.5, 0.0), 0.0)], ["cube"])
    driver = ToolDriver(sim, 0.1)
    assert driver.teleport(np.array([0.5, 0.0, 0.08, 0.0, 0.0, 0.08]))
    for move in [displaced(z=-0.03)] * 2 + [displaced(opening=-0.04)] * 3 + [displaced(z=0.03)] * 3:
        driver.move(move)
    assert sim.touched()[0].all() and sim.scene.position[0, 2] == pytest.approx(0.025 + 0.09, abs=0.005)
    assert 0.045 < sim.arm.opening() < 0.055
    for move in (
        [displaced(y=0.03)] * 3 + [displaced(z=-0.03)] * 3 + [displaced(opening=0.04)] * 2 + [displaced(z=0.03)] * 3
    ):
        driver.move(move)
    assert not sim.touched()[0].any()
    assert sim.scene.position[0] == pytest.approx([0.5, 0.09, 0.025], abs=0.006)


def test_an_object_that_is_put_somewhere_with_a_velocity_slides_on(sim):
    sim.reset(0, [upright(block(), (0.5, 0.0), 0.4)])
    position, rotation = sim.scene.position[0].copy(), upright(block(), (0.5, 0.1), 1.0).rotation
    sim.put(0, position + [0.0, 0.1, 0.0], rotation, np.array([0.3, 0, 0, 0, 0, 0]))
    assert sim.scene.velocity[0, 0] == pytest.approx(0.3) and sim.scene.yaw[0] == pytest.approx(1.0)
    sim.step(60)
    assert 0.005 < sim.scene.position[0, 0] - position[0] < 0.08


def test_what_has_no_upright_of_its_own_stands_as_it_rests(sim):
    rng = np.random.default_rng(3)
    blob = load_kind("blob").draw(rng)
    turned = Placed(blob, np.array([0.5, 0.0, 0.06]), np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], float))
    sim.reset(0, [turned])
    scene = sim.scene
    assert abs(scene.rotation[0, :2]).max() < 1e-3  # no tilt
    lowest = scene.position[0, 2] + sim.objects[0].solid.lower[2]
    assert lowest == pytest.approx(0.0, abs=0.004)  # PyBullet keeps a margin around hulls
    sim.put(0, scene.position[0], upright(block(), (0, 0), float(scene.yaw[0])).rotation)
    np.testing.assert_allclose(sim.scene.position, scene.position, atol=1e-6)


@pytest.mark.parametrize(
    "kind", ["box", "can", "tee", "blob", "mug", "duck", "brick", "pybullet_mug", "random_mesh", "wedge"]
)
def test_what_is_touched_is_where_the_outline_says(sim, kind):
    body = load_kind(kind).draw(np.random.default_rng(2))
    sim.reset(0, [upright(body, (0.5, 0.0), 0.7)])
    seen, solid = sim.scene, sim.objects[0].solid
    lower, upper = _touched_box(sim, seen.position[0])
    around = solid.turned(rotation_of_quaternion(*seen.rotation[0])).moved(seen.position[0])
    np.testing.assert_allclose(lower[:2], around.lower[:2], atol=0.004)
    np.testing.assert_allclose(upper, around.upper, atol=0.004)


def _touched_box(sim, middle, reach=0.15, spacing=0.002):
    """Lower and upper corner (3,) of what rays from above hit of the first object."""
    steps = np.arange(-reach, reach, spacing)
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2) + middle[:2]
    hits = []
    for start in range(0, len(grid), 8000):
        part = grid[start : start + 8000]
        rays = sim._client.rayTestBatch([[*place, 0.4] for place in part], [[*place, 0.001] for place in part])
        hits += [hit[3] for hit in rays if hit[0] == sim.objects[0].index]
    return np.min(hits, 0), np.max(hits, 0)


def test_saved_states_come_back(sim):
    sim.reset(2)
    driver, before = ToolDriver(sim, 0.1), sim.scene
    with driver.saved() as back:
        for _ in range(6):
            driver.move(displaced(x=0.03, z=-0.01))
        back()
        np.testing.assert_allclose(sim.scene.position, before.position, atol=1e-9)
        assert driver.commanded.values[0] == pytest.approx(sim.robot.home.position[0], abs=1e-3)


def test_a_mass_that_is_changed_and_changed_back_is_as_before(sim):
    sim.reset(0, [upright(block(), (0.5, 0.0), 0.0)])
    askew = Rotation.from_euler("zyx", [0.3, 0.5, 0.6]).as_matrix()

    def dropped() -> np.ndarray:
        """How it lies after a fall on a corner, which its inertia decides."""
        with sim.saved() as back:
            sim.put(0, np.array([0.5, 0.0, 0.06]), askew)
            sim.step(40)
            rotation = sim.scene.rotation[0]
            back()
        return rotation

    before = dropped()
    for factor in (2.0, 1.0, 2.0, 1.0, 2.0, 1.0):
        sim.set_mass(0, factor)
    np.testing.assert_allclose(dropped(), before, atol=1e-3)


def test_objects_that_do_not_stay_where_they_are_put_are_refused(sim):
    falling = upright(block(), (0.5, 0.0), 0.0, height=0.2)
    with pytest.raises(WorldError, match="the objects placed do not"):
        sim.reset(0, [falling])


def test_starts_and_goals_keep_clear_of_what_stands_still():
    wall = Part("box", (0.02, 0.4, 0.1), (0.5, 0.0, 0.05), (0.5, 0.5, 0.5), True)
    task = load_scene_task("push_pose")
    task = replace(task, world=replace(task.world, fixtures=(wall,)))
    sim = SceneSim(task.world)
    (box,) = task.world.fixture_boxes
    for seed in range(5):
        drawn = draw_episode(task, sim, seed)
        goal = [drawn.goal.pose[axis] for axis in "xy"]
        for place in (*drawn.start, goal):
            beyond = np.maximum(box[:2] - place, place - box[3:5]).max()
            assert beyond > sim.objects[0].solid.radii.min() - 0.002, (seed, place)
        sim.reset(seed)
        places = sim.scene.position[:, :2]
        assert (np.maximum(box[:2] - places, places - box[3:5]).max(1) > 0).all()
    sim.close()


def test_a_scene_out_of_a_robots_reach_is_refused():
    with pytest.raises(WorldError, match="within the reach of robot 'xarm6'"):
        SceneSim(load_scene_world("edge"), load_robot("xarm6"))


def test_footprints_are_apart_by_their_gap():
    one = upright(block(), (0.5, 0.0), 0.0)
    assert apart(one, upright(block(), (0.5, 0.062), 0.0), 0.01)
    assert not apart(one, upright(block(), (0.5, 0.058), 0.0), 0.01)
    assert not apart(one, upright(block((0.2, 0.01, 0.05)), (0.5, 0.01), 0.0), 0.001)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (("count: [1, 6]", "count: [1, 9]"), "objects.count.1: 9 is greater than the maximum of 6"),
        (("count: [1, 6]", "count: [4, 2]"), "objects.count: expected lower <= upper"),
        (("box: 3", "teapot: 3"), "expected a kind of objects"),
        (("lower: [0.36, -0.24]", "lower: [-0.9, -0.24]"), "start: expected a region on the table"),
        (("gap: 0.012", "gab: 0.012"), "did you mean 'gap'"),
        (("friction: [0.6, 1.3]", "friction: [1.6, 1.3]"), "randomise.friction: expected 0 < lower <= upper"),
    ],
)
def test_a_wrong_file_is_refused_by_its_field(tmp_path, change, error):
    from wm_sim.scene_world import scenes_dir

    file = tmp_path / "wrong.yaml"
    file.write_text((scenes_dir() / "clutter.yaml").read_text().replace(*change))
    with pytest.raises(ValueError, match=error):
        load_scene_world(file)
