"""The sensor model on made-up images: how much, where, the same again."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_core.rig import Camera, intrinsics, looking_at
from wm_core.rotations import pose_of
from wm_core.sensor_spec import SensorSpec
from wm_sim.sensor_model import MAX_GAIN, Delays, SensorModel, true_pose

WIDTH, HEIGHT = 96, 64
PLACE = np.array([0.5, 0.6, 0.7])
POSE = pose_of(looking_at(PLACE, np.array([0.5, 0.0, 0.0])), PLACE)
CAMERA = Camera("cam", WIDTH, HEIGHT, intrinsics(WIDTH, HEIGHT, 45.0), POSE, 0.1, 5.0)
GREY = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)


def flat(depth: float) -> np.ndarray:
    return np.full((HEIGHT, WIDTH), depth, np.float32)


def test_an_ideal_sensor_changes_nothing():
    rgb, depth = SensorModel(CAMERA, SensorSpec()).apply(GREY, flat(1.0), 0)
    np.testing.assert_array_equal(rgb, GREY)
    np.testing.assert_array_equal(depth, flat(1.0))


@pytest.mark.parametrize("distance", [0.5, 1.0, 2.0])
def test_noise_grows_with_the_square_of_the_distance(distance):
    _, depth = SensorModel(CAMERA, SensorSpec(depth_noise=0.002)).apply(GREY, flat(distance), 0)
    assert depth.std() == pytest.approx(0.002 * distance**2, rel=0.05)
    assert depth.mean() == pytest.approx(distance, abs=3e-4 * distance**2)


@given(seed=st.integers(0, 2**31), time_ns=st.integers(0, 10**12), episode=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_the_same_instant_looks_the_same_again_and_another_does_not(seed, time_ns, episode):
    spec = SensorSpec(seed=seed, depth_noise=0.002)

    def seen(name: str, at_ns: int, of: int) -> np.ndarray:
        model = SensorModel(replace(CAMERA, name=name), spec)
        model.reset(of)
        return model.apply(GREY, flat(1.0), at_ns)[1]

    here = seen("cam", time_ns, episode)
    np.testing.assert_array_equal(here, seen("cam", time_ns, episode))
    for other in (("cam", time_ns + 1, episode), ("cam_b", time_ns, episode), ("cam", time_ns, episode + 1)):
        assert (here != seen(*other)).any()


@given(pixels=st.integers(1, 4), column=st.integers(10, WIDTH - 10))
@settings(max_examples=25, deadline=None)
def test_a_step_in_depth_is_a_band_of_holes(pixels, column):
    depth = flat(1.0)
    depth[:, column:] = 0.9
    _, seen = SensorModel(CAMERA, SensorSpec(edge_holes=pixels)).apply(GREY, depth, 0)
    holes = np.flatnonzero((seen == 0).all(0))
    np.testing.assert_array_equal(holes, np.arange(column - pixels, column + pixels))
    smooth = np.linspace(1.0, 1.2, WIDTH, dtype=np.float32)[None].repeat(HEIGHT, 0)
    assert (SensorModel(CAMERA, SensorSpec(edge_holes=pixels)).apply(GREY, smooth, 0)[1] > 0).all()


@pytest.mark.parametrize(("angle", "seen"), [(30, True), (70, True), (85, False)])
def test_a_surface_that_is_seen_too_flat_returns_nothing(angle, seen):
    """A plane through a point 1 m ahead, turned about the vertical by `angle` from facing the camera."""
    x = (np.arange(WIDTH) - CAMERA.K[0, 2]) / CAMERA.K[0, 0]
    depth = (1 / (1 - np.tan(np.radians(angle)) * x)).astype(np.float32)
    middle = slice(WIDTH // 2 - 1, WIDTH // 2 + 1)  # where the line of sight is the axis
    _, measured = SensorModel(CAMERA, SensorSpec(grazing_deg=80)).apply(GREY, np.tile(depth, (HEIGHT, 1)), 0)
    assert (measured[HEIGHT // 2, middle] > 0).all() == seen


def test_black_returns_no_depth():
    rgb = GREY.copy()
    rgb[:, :10] = 3
    _, depth = SensorModel(CAMERA, SensorSpec(dark=8)).apply(rgb, flat(1.0), 0)
    assert (depth[:, :10] == 0).all() and (depth[:, 10:] == 1).all()


@given(depth=st.floats(0, 5, width=32), brightness=st.integers(0, 255))
@settings(max_examples=25, deadline=None)
def test_depth_stays_in_range_and_nothing_comes_of_nothing(depth, brightness):
    spec = SensorSpec(depth_noise=0.1, edge_holes=2, grazing_deg=80, dark=5, exposure_target=0.5)
    rgb, seen = SensorModel(CAMERA, spec).apply(np.full_like(GREY, brightness), flat(depth), 0)
    assert np.isfinite(seen).all() and (seen >= 0).all() and (seen <= CAMERA.far).all()
    assert seen.dtype == np.float32 and rgb.dtype == np.uint8
    assert (SensorModel(CAMERA, spec).apply(GREY, flat(0.0), 0)[1] == 0).all()


def test_auto_exposure_follows_the_light_slowly():
    model = SensorModel(CAMERA, SensorSpec(exposure_target=0.5, exposure_time=0.5))
    assert model.apply(GREY, flat(1.0), 0)[0].mean() == pytest.approx(127.5, abs=1)  # settled at the start
    dim = GREY // 2
    levels = [model.apply(dim, flat(1.0), round(1e9 * t))[0].mean() for t in (0.0, 0.0, 0.1, 0.5, 3.0)]
    assert levels[0] == levels[1] == pytest.approx(64, abs=1)  # the same time again: the same gain
    assert levels == sorted(levels) and levels[2] < 90
    assert levels[3] == pytest.approx(127.5 - 63.75 * np.exp(-1), abs=2)
    assert levels[4] == pytest.approx(127.5, abs=1)
    black = np.zeros_like(GREY) + 2
    model.reset(1)
    assert model.apply(black, flat(1.0), 0)[0].mean() == pytest.approx(2 * MAX_GAIN, abs=1)


@given(seed=st.integers(0, 2**31), metres=st.floats(0.001, 0.1), degrees=st.floats(0.01, 10))
@settings(max_examples=50, deadline=None)
def test_a_calibration_error_is_as_large_as_it_is_said_to_be(seed, metres, degrees):
    pose = true_pose(CAMERA, SensorSpec(seed=seed, position_error=metres, rotation_error_deg=degrees))
    assert np.linalg.norm(pose[:3, 3] - POSE[:3, 3]) == pytest.approx(metres)
    turned = POSE[:3, :3].T @ pose[:3, :3]
    assert np.degrees(np.arccos((np.trace(turned) - 1) / 2)) == pytest.approx(degrees, rel=1e-4)
    np.testing.assert_array_equal(true_pose(CAMERA, SensorSpec(seed=seed)), POSE)


def test_delays_have_the_mean_and_the_spread_that_are_asked_for():
    spec = SensorSpec(latency=0.06, depth_latency=0.01, jitter=0.01)
    delays = Delays("cam", spec)
    colour, depth = np.array([delays.draw() for _ in range(2000)]).T / 1e9
    assert colour.mean() == pytest.approx(0.06, abs=1e-3) and colour.std() == pytest.approx(0.01, rel=0.1)
    np.testing.assert_allclose(depth - colour, 0.01, atol=1e-8)
    assert min(Delays("cam", SensorSpec(jitter=0.1)).draw()) >= 0
