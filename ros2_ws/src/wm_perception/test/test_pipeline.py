"""From images to the object: the shipped encoder and plain geometry both find it."""

import numpy as np
import pytest

from wm_perception.bev import in_boxes
from wm_perception.geometry import Geometry
from wm_perception.pipeline import CameraFrame, PerceptionPipeline, shrink
from wm_perception.robot_mask import RobotMask

SEEDS = range(10_000, 10_012)


def test_the_encoder_finds_the_block(scene):
    pipeline = PerceptionPipeline(scene.bundle, scene.rig, scene.kinematics)
    errors = []
    for seed in SEEDS:
        seen = pipeline.process(scene.frames(seed), scene.q)
        assert seen.visibility > 0.5
        errors.append(np.linalg.norm(seen.object_xy - scene.truth[:2]))
    assert np.median(errors) < 0.006
    assert max(errors) < 0.02


def test_one_camera_is_enough(scene):
    pipeline = PerceptionPipeline(scene.bundle, scene.rig, scene.kinematics)
    frames = scene.frames(10_000)
    seen = pipeline.process({"camera_left": frames["camera_left"]}, scene.q)
    assert seen.cameras == ("camera_left",)
    assert np.linalg.norm(seen.object_xy - scene.truth[:2]) < 0.02


def test_the_tool_is_where_the_joints_say(scene):
    pipeline = PerceptionPipeline(scene.bundle, scene.rig, scene.kinematics)
    np.testing.assert_allclose(
        pipeline.process(scene.frames(10_000), scene.q).tool.position, scene.kinematics.fk(scene.q)[0]
    )


def test_an_empty_table_is_seen_as_such(scene):
    pipeline = PerceptionPipeline(scene.bundle, scene.rig, scene.kinematics)
    scene.sim.reset(10_000)
    scene.sim.disturb(hidden=True)
    frames = {camera.name: CameraFrame(*scene.sim.render(camera.name), camera.K) for camera in scene.rig.cameras}
    assert pipeline.process(frames, scene.q).visibility < 0.5


def test_shrinking_keeps_where_pixels_point():
    K = np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]])
    frame = CameraFrame(np.zeros((480, 640, 3), np.uint8), np.ones((480, 640), np.float32), K)
    small = shrink(frame, 320)
    assert small.depth.shape == (240, 320)
    for size, matrix in ((640, K), (320, small.K)):  # the image's left edge is seen under the same angle
        assert (-0.5 - matrix[0, 2]) / matrix[0, 0] == pytest.approx(-320 / 600), size


def test_shrunken_depth_is_that_of_its_pixels():
    K = np.array([[400.0, 0, 211.5], [0, 400, 119.5], [0, 0, 1]])
    v, u = np.mgrid[0:240, 0:424].astype(np.float32)
    rgb = np.zeros((240, 424, 3), np.uint8)
    for axis, pixel in enumerate((u, v)):
        small = shrink(CameraFrame(rgb, pixel + 1, K), 320)
        rows = np.mgrid[0 : small.depth.shape[0], 0 : small.depth.shape[1]][1 - axis]
        there = (rows - small.K[axis, 2]) / small.K[axis, axis] * K[axis, axis] + K[axis, 2]  # in the large image
        off = small.depth - 1 - there
        assert abs(off.mean()) < 0.02 and np.abs(off).max() < 0.51


def test_bad_frames_are_refused(scene):
    pipeline = PerceptionPipeline(scene.bundle, scene.rig, scene.kinematics)
    frame = next(iter(scene.frames(10_000).values()))
    with pytest.raises(ValueError, match="at least one"):
        pipeline.process({}, scene.q)
    with pytest.raises(ValueError, match="camera_back"):
        pipeline.process({"camera_back": frame}, scene.q)
    with pytest.raises(ValueError, match="one size"):
        pipeline.process({"camera_left": CameraFrame(frame.rgb, frame.depth[:64], frame.K)}, scene.q)


def test_geometry_finds_the_block_without_learning(scene):
    geometry = Geometry(scene.rig, scene.kinematics, scene.bundle.bev)
    errors, sizes = [], []
    for seed in SEEDS:
        found = geometry.detect(scene.frames(seed), scene.q)
        assert found.objects
        block = min(found.objects, key=lambda d: float(np.linalg.norm(d.centre[:2] - scene.truth[:2])))
        errors.append(np.linalg.norm(block.centre[:2] - scene.truth[:2]))
        sizes.append(block.size)
    print(
        f"geometry: median error {1000 * np.median(errors):.1f} mm, median size {np.round(1000 * np.median(sizes, 0))} mm"
    )
    assert np.median(errors) < 0.006
    np.testing.assert_allclose(np.median(sizes, 0), [0.06, 0.06, 0.06], atol=0.012)


def test_what_is_shown_of_a_cell_has_the_table_and_the_arm_in_it(scene):
    """`cloud` leaves the arm out, and detections the table."""
    geometry, boxes = Geometry(scene.rig, scene.kinematics, scene.bundle.bev), RobotMask(scene.kinematics)
    frames = scene.frames(10_000)
    points, colours = geometry.surroundings(frames)
    table, arm = np.abs(points[:, 2]) < 0.005, in_boxes(points, boxes.boxes(scene.q))
    assert table.sum() > 1000 and arm.sum() > 50 and len(colours) == len(points)
    assert not in_boxes(geometry.cloud(frames, scene.q)[0], boxes.boxes(scene.q)).any()
    nothing = {name: CameraFrame(f.rgb, np.zeros_like(f.depth), f.K) for name, f in frames.items()}
    assert len(geometry.surroundings(nothing)[0]) == 0


def test_geometry_needs_a_table(scene):
    geometry = Geometry(scene.rig, scene.kinematics, scene.bundle.bev)
    frame = next(iter(scene.frames(10_000).values()))
    with pytest.raises(ValueError, match="view of the table"):
        geometry.detect({"camera_left": CameraFrame(frame.rgb, np.zeros_like(frame.depth), frame.K)}, scene.q)
