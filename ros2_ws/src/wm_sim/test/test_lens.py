"""A lens in front of a pinhole, and cameras with a sensor model in a world."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_core.camera_model import Lens, Undistortion
from wm_core.rig import Camera, CameraRig, intrinsics
from wm_core.sensor_spec import SensorSpec
from wm_sim.arm_sim import ArmSim
from wm_sim.lens import BendingLens
from wm_sim.world import load_world

WIDTH, HEIGHT = 106, 60
CAMERA = Camera("cam", WIDTH, HEIGHT, intrinsics(WIDTH, HEIGHT, 42.0), np.eye(4), 0.1, 5.0)
BARREL, PINCUSHION = (-0.12, 0.03, 0.0005, -0.0005, 0.0), (0.1, 0.0, 0.0, 0.0, 0.0)


def picture(camera: Camera) -> np.ndarray:
    """Where each pixel of a pinhole looks: x and y of the ray in units of the focal length, for all (H, W)."""
    v, u = np.mgrid[0 : camera.height, 0 : camera.width]
    return np.stack([(u - camera.K[0, 2]) / camera.K[0, 0], (v - camera.K[1, 2]) / camera.K[1, 1]], -1)


@given(k1=st.floats(-0.15, 0.15), k2=st.floats(-0.03, 0.03), p=st.floats(-0.002, 0.002))
@settings(max_examples=25, deadline=None)
def test_the_rendered_lens_is_the_one_that_is_published(k1, k2, p):
    """What is seen at a pixel is what OpenCV projects there with the same coefficients."""
    distortion = (k1, k2, p, -p, 0.0)
    lens = BendingLens(CAMERA, distortion)
    looks = picture(lens.wide).astype(np.float32)
    seen = np.stack([lens.bend(np.zeros(looks.shape, np.uint8), looks[..., i].copy())[1] for i in (0, 1)], -1)
    rays = np.concatenate([seen, np.ones((HEIGHT, WIDTH, 1))], -1).reshape(-1, 3).astype(float)
    at = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), CAMERA.K, np.array(distortion))[0].reshape(HEIGHT, WIDTH, 2)
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH]
    assert np.abs(at - np.stack([u, v], -1)).max() < 0.9  # the nearest pixel of the wide view


@pytest.mark.parametrize("distortion", [BARREL, PINCUSHION])
def test_what_perception_takes_out_was_put_in(distortion):
    lens = BendingLens(CAMERA, distortion)
    looks = picture(lens.wide)[..., 0].astype(np.float32)
    bent = lens.bend(np.zeros((*looks.shape, 3), np.uint8), looks)[1]
    plain = Undistortion(Lens(CAMERA.K, WIDTH, HEIGHT, "plumb_bob", distortion)).depth(bent)
    inner = (slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(plain[inner], picture(CAMERA)[..., 0][inner], atol=1.5 / CAMERA.K[0, 0])
    assert np.abs(bent[inner] - picture(CAMERA)[..., 0][inner]).max() > 2e-3


def test_a_view_without_end_is_refused():
    with pytest.raises(ValueError, match="distortion"):
        BendingLens(CAMERA, (-0.9, 0.0, 0.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def worlds(rig):
    """The block's world with an ideal rig and with everything wrong, at the same instant."""
    spec = SensorSpec(depth_noise=0.002, edge_holes=1, exposure_target=0.5, distortion=BARREL, position_error=0.005)
    sims = [ArmSim(load_world("tabletop_block"), each) for each in (rig, rig.with_sensor(spec), rig.with_sensor(spec))]
    for sim in sims:
        sim.reset(3)
    yield sims
    for sim in sims:
        sim.close()


def test_absent_or_all_off_gives_the_same_bytes(worlds, rig):
    off = ArmSim(load_world("tabletop_block"), rig.with_sensor(SensorSpec()))
    off.reset(3)
    for camera in rig.cameras:
        for here, there in zip(worlds[0].render(camera.name), off.render(camera.name), strict=True):
            assert here.tobytes() == there.tobytes()
        for here, there in zip(worlds[0].render(camera.name), worlds[0].rectified(camera.name), strict=True):
            assert here.tobytes() == there.tobytes()
    off.close()


def test_a_sensor_model_is_seeded(worlds):
    _, one, two = worlds
    for _ in range(2):
        for here, there in zip(one.render("camera_left"), two.render("camera_left"), strict=True):
            assert here.tobytes() == there.tobytes()
    before = one.render("camera_left")[1]
    one.step(24)
    assert (one.render("camera_left")[1] != before).any()
    two.step(24)


def test_rectified_images_are_those_of_an_ideal_camera(worlds, rig):
    bending = ArmSim(load_world("tabletop_block"), rig.with_sensor(SensorSpec(distortion=(-0.3, 0.0, 0.0, 0.0, 0.0))))
    bending.reset(3)
    depth = worlds[0].render("camera_left")[1]
    ring = np.ones(depth.shape, bool)
    ring[30:-30, 30:-30] = ring[:6] = ring[-6:] = ring[:, :6] = ring[:, -6:] = False

    def error(other: np.ndarray) -> float:
        both = ring & (depth > 0) & (other > 0)
        return float(np.median(np.abs(depth - other)[both]))

    assert error(bending.rectified("camera_left")[1]) < 0.002 < 0.006 < error(bending.render("camera_left")[1])
    bending.close()


def test_holes_are_seen_in_a_world(worlds):
    ideal, real, _ = worlds
    assert (real.render("camera_left")[1] == 0).sum() > 100 + (ideal.render("camera_left")[1] == 0).sum()


def test_cameras_that_are_off_show_the_object_elsewhere(rig):
    """5 mm at 0.88 m and a focal length of 147 px are about one pixel; 3 degrees are 8."""
    spec = SensorSpec(rotation_error_deg=3.0, seed=1)
    places = []
    for each in (rig, replace(rig.with_sensor(spec))):
        sim = ArmSim(load_world("tabletop_block"), CameraRig(each.frame_id, each.cameras[:1]))
        sim.reset(3, [0.5, 0.1])
        rgb = sim.render("camera_left")[0].astype(int)
        red = (rgb[..., 0] > 2 * rgb[..., 1]) & (rgb[..., 0] > 2 * rgb[..., 2])
        places.append(np.argwhere(red).mean(0))
        sim.close()
    assert 1 < np.linalg.norm(places[0] - places[1]) < 12
