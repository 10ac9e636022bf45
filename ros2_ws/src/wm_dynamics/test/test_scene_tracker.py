"""Beliefs about scenes: what rests is averaged, what was moved is followed, what is not seen stays where the model says."""

import numpy as np
import pytest
from scene_of_one import scene

from wm_core.pose_noise import PoseNoise
from wm_core.scene import SceneState, rotation_of
from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_concern import near_pairs
from wm_dynamics.scene_tracker import SceneTracker

STILL = np.zeros(6)


def noisy(position, yaw, rng) -> SceneState:
    return scene(np.asarray(position) + rng.normal(0, 0.003, 3), yaw + rng.normal(0, np.radians(3)))


def test_what_rests_is_known_better_with_every_look():
    rng, tracker, place = np.random.default_rng(0), SceneTracker(None, PoseNoise(), 0.1), [0.5, 0.1, 0.025]
    for _ in range(60):
        belief = tracker.update(noisy(place, 0.7, rng), STILL, STILL, STILL)
    assert np.linalg.norm(belief.position[0] - place) < 0.0015
    assert abs(belief.yaw[0] - 0.7) < np.radians(1.0)
    assert (belief.state[0, 7:] == 0).all() and belief.variance[0, 0] < 1e-6


def test_what_somebody_moved_is_found_again_within_a_few_looks():
    rng, tracker = np.random.default_rng(1), SceneTracker(None, PoseNoise(), 0.1)
    for _ in range(40):
        tracker.update(noisy([0.5, 0.1, 0.025], 0.7, rng), STILL, STILL, STILL)
    for _ in range(8):
        belief = tracker.update(noisy([0.52, 0.1, 0.025], 0.3, rng), STILL, STILL, STILL)
    assert np.linalg.norm(belief.position[0] - [0.52, 0.1, 0.025]) < 0.004
    assert abs(belief.yaw[0] - 0.3) < np.radians(4)


def test_what_sharp_looks_find_at_one_place_rests_there():
    tracker = SceneTracker(None, PoseNoise(0.0015, 0.02), 0.1)
    for x in (0.50, 0.52, 0.54, 0.56):  # it is pushed
        belief = tracker.update(scene([x, 0.1, 0.025], 0.2), STILL, STILL, STILL)
    assert np.abs(belief.state[0, 7:10]).max() > 0.05
    for _ in range(4):
        belief = tracker.update(scene([0.56, 0.1, 0.025], 0.2), STILL, STILL, STILL)
    assert (belief.state[0, 7:] == 0).all()
    np.testing.assert_allclose(belief.position[0], [0.56, 0.1, 0.025], atol=1e-6)


def test_what_is_not_seen_stays_and_what_fell_is_gone():
    tracker = SceneTracker(None, PoseNoise(), 0.1)
    tracker.update(scene([0.5, 0.1, 0.025]), STILL, STILL, STILL)
    belief = tracker.update(scene([np.nan] * 3), STILL, STILL, STILL)
    np.testing.assert_allclose(belief.position[0], [0.5, 0.1, 0.025])
    for _ in range(4):
        belief = tracker.update(scene([0.9, 0.1, -0.4]), STILL, STILL, STILL)
    assert not belief.present[0]


def test_a_small_tilt_is_noise_and_a_large_one_is_not():
    rng, tracker = np.random.default_rng(2), SceneTracker(None, PoseNoise(), 0.1)
    for _ in range(5):
        belief = tracker.update(scene([0.5, 0.0, 0.025], 0.4, rng.normal(0, 0.03)), STILL, STILL, STILL)
    assert belief.upright[0] == 1.0 and belief.yaw[0] == pytest.approx(0.4, abs=1e-6)
    lying = SceneTracker(None, PoseNoise(), 0.1).update(scene([0.5, 0.0, 0.02], 0.4, np.pi / 2), STILL, STILL, STILL)
    assert lying.upright[0] == pytest.approx(0.0, abs=1e-6)
    length, width = (
        np.ptp(lying.footprint(0) @ [np.cos(0.4), np.sin(0.4)]),
        np.ptp(lying.footprint(0) @ [-np.sin(0.4), np.cos(0.4)]),
    )
    assert length == pytest.approx(0.06, abs=3e-3) and width == pytest.approx(0.05, abs=3e-3)


def test_a_belief_and_a_scene_say_the_same():
    seen = scene([0.5, 0.1, 0.025], 0.7)
    belief = SceneBelief.of(seen)
    again = belief.scene
    np.testing.assert_allclose(again.position, seen.position)
    np.testing.assert_allclose(again.yaw, seen.yaw)
    np.testing.assert_allclose(rotation_of(np.array(0.7)), again.rotation[0], atol=1e-12)
    assert belief.slot("box") == 0
    with pytest.raises(KeyError, match="expected an object out of"):
        belief.slot("cup")


def test_a_lonely_object_has_a_pair_that_stands_for_none():
    assert near_pairs(SceneBelief.of(scene([0.5, 0.1, 0.025]))).tolist() == [[0], [0]]


def both(first, second) -> SceneState:
    """Two scenes of one object as one of two, named box and cup."""
    names = ("presence", "position", "rotation", "velocity", "variance", "size", "shape", "appearance")
    joined = [np.concatenate([getattr(first, name), getattr(second, name)]) for name in names]
    return SceneState(*joined, ("box", "cup"))


def test_a_hidden_object_is_still_believed_when_another_comes():
    tracker = SceneTracker(None, PoseNoise(), 0.1)
    for _ in range(10):
        tracker.update(scene([0.5, 0.1, 0.025], 0.7), STILL, STILL, STILL)
    hidden = scene([np.nan] * 3, 0.7)
    belief = tracker.update(both(hidden, scene([0.4, -0.1, 0.025])), STILL, STILL, STILL)
    np.testing.assert_allclose(belief.position, [[0.5, 0.1, 0.025], [0.4, -0.1, 0.025]], atol=1e-3)


def test_what_was_never_seen_is_not_believed():
    tracker, hidden = SceneTracker(None, PoseNoise(), 0.1), scene([np.nan] * 3)
    seen = both(scene([0.5, 0.1, 0.025]), hidden)
    assert tracker.believable(seen).identities == ("box",)
    belief = tracker.update(seen, STILL, STILL, STILL)
    assert belief.identities == ("box",) and np.isfinite(belief.state).all()
