"""The simulator core: tracking, pushing, cameras, determinism."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from wm_core.robot import load_robot
from wm_sim.action_driver import ActionDriver
from wm_sim.arm_sim import MIN_START_GAP, ArmSim
from wm_sim.world import Light, Part, load_world

TOOL_DOWN, TOOL_HEIGHT = load_robot().tool.rotation, load_robot().tool.height


def push(sim: ArmSim, path: np.ndarray):
    """Move the tool through points (n, 2), one control period each."""
    driver = ActionDriver(sim, 1.0, control_period=0.1)
    for point in path:
        driver.move(point - driver.commanded)
        yield point


def forward(length: float = 0.24, points: int = 20) -> np.ndarray:
    return np.stack([np.linspace(0.33, 0.33 + length, points), np.zeros(points)], 1)


def test_the_tool_follows_and_keeps_its_height(sim):
    sim.reset(0, (0.5, 0.01))
    for x, y in push(sim, forward()):
        position, rotation = sim.kinematics.fk(sim.joint_state()[1][:7])
        assert np.allclose(position, [x, y, TOOL_HEIGHT], atol=2e-3)
        assert np.allclose(rotation, TOOL_DOWN, atol=5e-3)


def test_a_push_moves_the_object_and_it_stays_upright(sim):
    sim.reset(0, (0.5, 0.0))
    for _ in push(sim, forward()):
        pass
    position, (qx, qy, _, _) = sim.object_pose()
    assert position[0] > 0.57
    assert abs(position[2]) < 2e-3 and np.hypot(qx, qy) < 0.03


def test_the_same_seed_and_commands_give_the_same_bytes(sim, rig):
    def run(sim: ArmSim) -> str:
        sim.reset(7, (0.45, 0.01))
        digest = hashlib.sha256()
        for _ in push(sim, forward(points=10)):
            arrays = [*sim.joint_state()[1:], *sim.object_pose()]
            for camera in rig.cameras:
                arrays += sim.render(camera.name)
            for array in arrays:
                digest.update(array.tobytes())
        return digest.hexdigest()

    fresh = ArmSim(sim.world, rig)
    first, again, elsewhere = run(sim), run(sim), run(fresh)
    fresh.close()
    assert first == again == elsewhere


def test_resets_draw_places_clear_of_the_tool_and_goals_apart_from_them(block):
    places = []
    for seed in range(20):
        drawn = block.reset(seed)
        gap = np.linalg.norm(drawn["object_xy"] - block.kinematics.fk(block.home)[0][:2])
        assert gap > MIN_START_GAP - 1e-3
        assert np.linalg.norm(drawn["goal_xy"] - drawn["object_xy"]) >= block.world.min_distance
        places.append(drawn["object_xy"])
    assert np.ptp(places, axis=0).min() > 0.1


@pytest.mark.parametrize("place", [(0.33, 0.0), (9.0, 0.0), (np.nan, 0.0), (0.5,)])
def test_impossible_places_are_refused(block, place):
    with pytest.raises(ValueError, match="on the table"):
        block.reset(0, place)


def test_time_is_a_whole_number_of_physics_steps(block):
    start = block.time_ns
    block.step(24)
    assert block.time_ns - start == pytest.approx(100_000_000, abs=1)
    assert isinstance(block.time_ns, int)


def test_depth_is_metric_and_agrees_with_the_intrinsics(block, rig):
    """The image of the object's top centre, projected by hand, shows the object's colour at the right depth."""
    block.reset(0, (0.5, 0.05))
    top = np.append(block.object_pose()[0][:2], 0.06)
    for camera in rig.cameras:
        rgb, depth = block.render(camera.name)
        assert rgb.shape == (128, 128, 3) and rgb.dtype == np.uint8 and depth.dtype == np.float32
        ray = camera.T_table_optical[:3, :3].T @ (top - camera.T_table_optical[:3, 3])
        u, v = np.rint(camera.K[:2] @ ray / ray[2]).astype(int)
        assert depth[v, u] == pytest.approx(ray[2], abs=5e-3)
        red, green, blue = map(int, rgb[v, u])
        assert red > 2 * max(green, blue)


def test_the_table_lies_at_zero(block, rig):
    block.reset(0, (0.6, 0.18))
    for camera in rig.cameras:
        _, depth = block.render(camera.name)
        v, u = np.mgrid[100:128:9, 20:110:9].reshape(2, -1)
        ray = np.linalg.inv(camera.K) @ np.stack([u, v, np.ones_like(u)]) * depth[v, u]
        heights = (camera.T_table_optical[:3, :3] @ ray + camera.T_table_optical[:3, 3:])[2]
        assert np.median(np.abs(heights)) < 1e-3


def test_a_hidden_object_is_in_the_world_but_in_no_image(block, rig):
    block.reset(0, (0.5, 0.05))
    camera = rig.cameras[0].name
    before, pose = block.render(camera)[0], block.object_pose()
    block.disturb(hidden=True)
    hidden = block.render(camera)[0]
    assert (before != hidden).any()
    assert np.array_equal(block.object_pose()[0], pose[0])
    block.disturb(hidden=False)
    assert np.array_equal(block.render(camera)[0], before)


def test_disturbances_kick_and_displace(block):
    block.reset(0, (0.5, 0.0))
    block.disturb(displacement=(0.03, 0.0, 0.0))
    assert block.object_pose()[0][0] == pytest.approx(0.53, abs=2e-3)
    block.disturb(impulse=(0.0, 0.1, 0.0))
    block.step(120)
    assert block.object_pose()[0][1] > 0.01


def test_randomised_objects_differ_between_seeds(rig):
    sim = ArmSim(load_world("tabletop_block"), rig, randomise=True)
    images = []
    for seed in range(2):
        sim.reset(seed, (0.5, 0.05))
        images.append(sim.render("camera_left")[0])
    sim.close()
    assert (images[0] != images[1]).any()


def test_from_a_saved_state_the_same_commands_lead_to_the_same_place(sim):
    sim.reset(3, (0.42, 0.0))
    path = list(push(sim, forward(0.1, 8)))
    q = sim.joint_state()[1][:7]
    ends = []
    with sim.saved() as restore:
        for sideways in (0.0, 0.06, 0.0):
            restore()
            assert np.allclose(sim.joint_state()[1][:7], q)
            away = path[-1] + np.stack([np.linspace(0.01, 0.08, 8), np.linspace(0, sideways, 8)], 1)
            for _ in push(sim, away):
                pass
            ends.append(sim.object_pose()[0])
    assert np.allclose(ends[0], ends[2], atol=1e-4)
    assert np.linalg.norm(ends[0] - ends[1]) > 0.005


def test_a_repainted_object_has_its_old_colour_after_a_reset(sim, rig):
    camera = rig.cameras[0].name
    sim.reset(5, (0.5, 0.1))
    before, depth = sim.render(camera)
    sim.repaint((0.1, 0.9, 0.1))
    green, same = sim.render(camera)
    changed = (before != green).any(-1)
    assert changed.sum() > 40
    assert green[changed][:, 1].mean() > green[changed][:, 0].mean() + 50
    assert np.array_equal(depth, same)
    sim.reset(5, (0.5, 0.1))
    assert np.array_equal(sim.render(camera)[0], before)


def test_fixtures_are_seen_and_light_darkens(rig):
    world = load_world("tabletop_block")
    post = Part("box", (0.06, 0.06, 0.2), (0.62, 0.25, 0.1), (0.1, 0.1, 0.9), True)
    pictures = []
    for changed in (world, replace(world, fixtures=(post,)), replace(world, light=Light(ambient=0.3))):
        sim = ArmSim(changed, rig)
        sim.reset(1)
        pictures.append(sim.render(rig.cameras[0].name))
        sim.close()
    (plain, depth), (fixed, nearer), (dark, _) = pictures
    assert (nearer < depth - 0.02).sum() > 100
    assert (fixed != plain).any()
    assert dark.mean() < 0.75 * plain.mean()
