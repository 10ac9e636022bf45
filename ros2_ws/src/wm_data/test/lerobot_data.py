"""Bags of smooth images, the LeRobot dataset that they become, and how such a dataset is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from wm_bags.steps.frames import Frame, Step
from wm_core.kinematics import Kinematics
from wm_core.paths import rigs_dir
from wm_core.rig import CameraRig
from wm_core.robot import DEFAULT_ROBOT, load_robot
from wm_data.episode_bag import EpisodeWriter
from wm_data.lerobot.export import export
from wm_data.lerobot.importing import import_dataset
from wm_data.lerobot.layout import LeRobotError


def bag_of(path: Path, steps: int = 4, seed: int = 0, name: str = DEFAULT_ROBOT) -> Path:
    """A bag of one episode whose images are smooth, so that videos lose little of them."""
    robot = load_robot(name)
    rig, kinematics = CameraRig.load(rigs_dir() / "two_cameras.yaml"), Kinematics(robot)
    writer = EpisodeWriter(path, tuple(camera.name for camera in rig.cameras))
    writer.begin(0, "tabletop_block", seed)
    for i in range(steps):
        x, y = 0.4 + 0.02 * i, 0.01 * seed
        q = kinematics.ik(np.array([x, y, robot.tool.height]), robot.tool.rotation, robot.home.joints)
        frames = {}
        for camera in rig.cameras:
            v, u = np.mgrid[0 : camera.height, 0 : camera.width]
            rgb = np.stack([u + 10 * i, v + 40, (u + v) // 2], -1).clip(0, 255).astype(np.uint8)
            frames[camera.name] = Frame(rgb, (900 + (u + i) % 7).astype(np.float32) / 1000, camera.K)
        pose = np.array([0.5, 0.1, 0.02, 0, 0, np.sin(0.3), np.cos(0.3)])
        start, end = np.array([[x, y], [x + 0.02, y]])
        writer.step(Step(i * 10**8, frames, tuple(kinematics.joint_names), q, start, end, pose))
    return writer.close()


@pytest.fixture(scope="module")
def bags(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bags")
    return [bag_of(folder / f"bag{i}", 3 + i, seed=i) for i in range(2)]


@pytest.fixture(scope="module")
def exported(bags, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lerobot") / "data"
    export(bags, folder)
    return folder


@pytest.fixture
def copy(exported, tmp_path) -> Path:
    """A copy to be spoiled."""
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def refused(folder: Path, out: Path, message: str) -> None:
    with pytest.raises(LeRobotError, match=message):
        import_dataset(folder, out)
    assert not out.exists()
