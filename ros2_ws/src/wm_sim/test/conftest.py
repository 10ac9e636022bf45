"""One simulator for each world: loading the robot is the slow part, a reset is not."""

import os

import pytest

from wm_core.paths import rigs_dir
from wm_core.rig import CameraRig
from wm_sim.arm_sim import ArmSim
from wm_sim.world import load_world

os.environ.setdefault("ROS_DOMAIN_ID", "31")
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")

WORLDS = ("tabletop_block", "tabletop_mug", "tabletop_disk")


@pytest.fixture(scope="session")
def rig() -> CameraRig:
    return CameraRig.load(rigs_dir() / "two_cameras.yaml")


@pytest.fixture(scope="session", params=WORLDS)
def sim(request, rig):
    sim = ArmSim(load_world(request.param), rig)
    yield sim
    sim.close()


@pytest.fixture(scope="session")
def block(rig):
    sim = ArmSim(load_world("tabletop_block"), rig)
    yield sim
    sim.close()
