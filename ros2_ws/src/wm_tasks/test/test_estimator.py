"""Perception and belief of a simulated arm in one process."""

import numpy as np

from wm_core.bundle import Bundle
from wm_core.executed import ExecutedMotion
from wm_core.paths import bundles_dir, rigs_dir
from wm_core.rig import CameraRig
from wm_sim.arm_sim import ArmSim
from wm_sim.world import load_world
from wm_tasks.estimator import StateEstimator, capture


def test_from_what_the_cameras_see_to_a_belief():
    sim = ArmSim(load_world("tabletop_block"), CameraRig.load(rigs_dir() / "two_cameras.yaml"))
    start = sim.reset(10_004)
    estimator = StateEstimator(Bundle.load(bundles_dir() / "default"), sim.rig, sim.kinematics)
    frames, joints = capture(sim), sim.joint_state()[1][: len(sim.kinematics.joint_names)]
    assert set(frames) == {camera.name for camera in sim.rig.cameras}

    seen = estimator.update(10**8, frames, joints, ExecutedMotion())
    assert np.linalg.norm(seen.belief.scene.xy[0] - start["object_xy"]) < 0.02
    estimator.reset()
    known = estimator.update(10**8, frames, joints, ExecutedMotion(), truth=np.array([0.5, 0.1]))
    np.testing.assert_allclose(known.belief.scene.xy[0], [0.5, 0.1], atol=2e-3)
    np.testing.assert_array_equal(known.observation.bev, seen.observation.bev)
    estimator.reset()
    again = estimator.update(10**8, frames, joints, ExecutedMotion())
    np.testing.assert_array_equal(again.belief.mean, seen.belief.mean)
    sim.close()
