"""A camera that was bumped is noticed, by the table and the arm; one that was not, is not."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from wm_core.kinematics import Kinematics
from wm_core.rig import CameraRig
from wm_core.robot import load_robot
from wm_core.rotations import pose_of
from wm_perception.pipeline import CameraFrame
from wm_perception.rig_check import ArmSurface, Depth, look
from wm_perception.rig_watch import RigWatch
from wm_sim.action_driver import ActionDriver

WORKSPACE = np.array([[0.28, -0.32], [0.72, 0.32]])
SECONDS = 14


@pytest.fixture(scope="module")
def moments(scene) -> list[tuple[dict[str, CameraFrame], np.ndarray]]:
    """What two cameras see while the tool goes over the table, a moment a second, with noise of a depth camera."""
    rng, sim = np.random.default_rng(0), scene.sim
    sim.reset(3)
    driver, found = ActionDriver(sim, 0.02, 0.1), []
    for _ in range(SECONDS):
        target = rng.uniform(*WORKSPACE)
        for _ in range(10):
            driver.act(np.clip((target - driver.commanded) / 0.02, -1, 1))
        frames = {}
        for camera in scene.rig.cameras:
            rgb, depth = sim.render(camera.name)
            noise = rng.normal(0, 0.002, depth.shape)
            frames[camera.name] = CameraFrame(rgb, np.where(depth > 0, depth + noise, 0).astype(np.float32), camera.K)
        found.append((frames, driver.joints()))
    return found


def bumped(rig: CameraRig, name: str, shift: tuple = (0.0, 0.0, 0.0), turn_deg: tuple = (0.0, 0.0, 0.0)) -> CameraRig:
    """The rig as it was believed before a camera stood as it does now."""
    turn = cv2.Rodrigues(np.radians(np.array(turn_deg)))[0]
    cameras = [
        replace(camera, T_table_optical=pose_of(turn @ pose[:3, :3], pose[:3, 3] + shift))
        if camera.name == name
        else camera
        for camera in rig.cameras
        for pose in [camera.T_table_optical]
    ]
    return replace(rig, cameras=tuple(cameras))


def watch(scene, rig: CameraRig, moments) -> tuple[RigWatch, int | None]:
    """The watch after all moments, and the second at which it first said something."""
    found, at = RigWatch(rig, Kinematics(load_robot()), scene.bundle.bev, threaded=False), None
    for second, (frames, q) in enumerate(moments):
        found.add(frames, q, second * 10**9)
        if found.moved and at is None:
            at = second
    return found, at


def test_cameras_that_stand_where_the_rig_says_raise_no_alarm(scene, moments):
    found, at = watch(scene, scene.rig, moments)
    assert at is None and found.problem == ""


@pytest.mark.parametrize(
    ("shift", "turn"),
    [
        ((0.01, 0, 0), (0, 0, 0)),
        ((0, 0.01, 0), (0, 0, 0)),
        ((0, 0, -0.01), (0, 0, 0)),
        ((0, 0, 0), (0.5, 0, 0)),
        ((0, 0, 0), (0, 0.5, 0)),
        ((0, 0, 0), (0, 0, 0.5)),
    ],
)
def test_a_bump_is_noticed_within_ten_seconds_and_the_camera_is_named(scene, moments, shift, turn):
    found, at = watch(scene, bumped(scene.rig, "camera_right", shift, turn), moments)
    assert at is not None and at <= 10
    assert list(found.moved) == ["camera_right"]
    assert (
        "camera_right does not stand where the rig says" in found.problem
        and "calibrate-cameras refine" in found.problem
    )


def test_an_alarm_ends_when_the_camera_is_put_back(scene, moments):
    believed = bumped(scene.rig, "camera_left", (0.0, 0.01, 0.0))
    found, _ = watch(scene, believed, moments)
    said = found.problem
    assert said
    found._rig["camera_left"] = scene.rig["camera_left"]
    for second, (frames, q) in enumerate(moments, SECONDS):
        found.add(frames, q, second * 10**9)
        assert found.problem in (said, ""), "until it ends, what was seen of it is said"
    assert not found.moved


def test_one_instant_at_which_the_arm_was_elsewhere_says_nothing(scene, moments):
    """As when joint states come late: each frame is in one look only, and looks that agree share none."""
    found = RigWatch(scene.rig, Kinematics(load_robot()), scene.bundle.bev, threaded=False)
    for second, (frames, q) in enumerate(moments):
        found.add(frames, q + (0.06 * np.eye(len(q))[0] if second == 4 else 0.0), second * 10**9)
        assert not found.moved


def test_a_thread_of_its_own_sees_the_same(scene, moments):
    found = RigWatch(bumped(scene.rig, "camera_left", (0.012, 0, 0)), Kinematics(load_robot()), scene.bundle.bev)
    for second, (frames, q) in enumerate(moments):
        found.add(frames, q, second * 10**9)
        found.close()
    assert list(found.moved) == ["camera_left"]


def test_a_bumped_camera_is_put_right_from_the_table_and_the_arm(scene, moments):
    surface, truth = ArmSurface(scene.kinematics), scene.rig["camera_left"].T_table_optical
    believed = bumped(scene.rig, "camera_left", (0.01, -0.012, 0.008), (0.4, -0.3, 0.5))["camera_left"].T_table_optical
    frames = [Depth(each["camera_left"].depth, each["camera_left"].K, q) for each, q in moments]
    change = look(frames, believed, surface, WORKSPACE, careful=True)
    assert change.unseen == ()
    assert np.linalg.norm(change.pose[:3, 3] - truth[:3, 3]) < 0.002
    assert np.degrees(np.linalg.norm(cv2.Rodrigues(change.pose[:3, :3] @ truth[:3, :3].T)[0])) < 0.2


def test_without_the_arm_in_sight_only_height_and_tilt_are_changed(scene, moments):
    frames = []
    for each, q in moments[:5]:
        depth = each["camera_left"].depth.copy()
        camera = scene.rig["camera_left"]
        v, u = np.mgrid[0 : camera.height, 0 : camera.width]
        rays = np.stack(
            [(u - camera.K[0, 2]) / camera.K[0, 0], (v - camera.K[1, 2]) / camera.K[1, 1], np.ones(u.shape)], -1
        )
        height = (depth[..., None] * rays) @ camera.T_table_optical[2, :3] + camera.T_table_optical[2, 3]
        depth[height > 0.02] = 0
        frames.append(Depth(depth, camera.K, q))
    believed = bumped(scene.rig, "camera_left", (0.0, 0.0, 0.01))["camera_left"].T_table_optical
    change = look(frames, believed, ArmSurface(scene.kinematics), WORKSPACE)
    assert {"x", "y", "rotation about z"} <= set(change.unseen)
    assert change.at_table == pytest.approx(0.01, abs=0.001)


def test_nothing_is_said_of_a_camera_that_sees_neither_table_nor_arm(scene):
    camera = scene.rig["camera_left"]
    blank = Depth(np.zeros((camera.height, camera.width), np.float32), camera.K, scene.kinematics.robot.home.joints)
    assert look([blank] * 5, camera.T_table_optical, ArmSurface(scene.kinematics), WORKSPACE) is None
