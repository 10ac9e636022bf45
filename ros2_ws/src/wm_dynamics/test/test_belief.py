"""The belief: follows what is seen, remembers what is hidden, starts over when the world is another."""

import contextlib

import numpy as np
import pytest

from wm_core.executed import ExecutedMotion
from wm_core.scene import ToolState
from wm_dynamics.belief import BeliefFilter

STEP_NS = 100_000_000
AWAY = ToolState.at(0.30, -0.25, 0.027)  # touches nothing


@pytest.fixture
def belief(bundle):
    return BeliefFilter(bundle)


@pytest.fixture
def seen_at(block):
    """Embedding and visibility of a block at a place, seen or hidden."""

    def seen_at(xy, visible=True):
        embedding = block(xy)
        embedding[2:4] = np.log(0.003**2)
        embedding[4] = 8.0 if visible else -8.0
        return embedding, float(visible)

    return seen_at


@pytest.fixture
def watch(belief, seen_at):
    """Looks at a block for some steps; returns the last belief."""

    def watch(xy, steps, begin=1, visible=True, tool=AWAY):
        for i in range(begin, begin + steps):
            state = belief.update(i * STEP_NS, *seen_at(xy, visible), tool, ExecutedMotion())
        return state

    return watch


def test_the_first_sight_is_believed(belief, watch, seen_at):
    state = watch([0.5, 0.1], 1)
    np.testing.assert_allclose(state.scene.xy[0], [0.5, 0.1], atol=0.005)
    assert state.restarted


def test_repeated_sight_makes_surer(belief, watch, seen_at):
    first = watch([0.5, 0.1], 1)
    later = watch([0.5, 0.1], 10, begin=2)
    assert (later.scene.std(("x", "y")) <= first.scene.std(("x", "y"))).all()
    np.testing.assert_allclose(later.scene.xy[0], [0.5, 0.1], atol=0.004)


def test_a_hidden_object_is_not_forgotten(belief, watch, seen_at):
    watch([0.5, 0.1], 8)
    hidden = watch([0.3, 0.3], 10, begin=9, visible=False)  # what a blind encoder says does not count
    np.testing.assert_allclose(hidden.scene.xy[0], [0.5, 0.1], atol=0.02)
    assert hidden.time_unseen == pytest.approx(1.0)
    assert np.isnan(hidden.error)


def test_a_hidden_object_moves_when_it_is_pushed(belief, watch, seen_at):
    motion, place, tool = ExecutedMotion(), np.array([0.5, 0.0]), ToolState.at(0.43, 0.0, 0.027)
    for i in range(1, 6):
        belief.update(i * STEP_NS, *seen_at(place), tool, motion)
    for i in range(6, 11):
        before, tool = tool, ToolState.at(0.43 + 0.03 * (i - 5), 0.0, 0.027)
        motion.record((i - 1) * STEP_NS, STEP_NS, before, tool)
        state = belief.update(i * STEP_NS, *seen_at(place, visible=False), tool, motion)
    assert state.scene.xy[0, 0] > 0.56


def test_missed_frames_are_bridged(belief, watch, seen_at):
    watch([0.5, 0.1], 5)
    state = belief.update(9 * STEP_NS, *seen_at([0.5, 0.1]), AWAY, ExecutedMotion())
    assert not state.restarted


@pytest.mark.parametrize("stamp", [3 * STEP_NS, 100 * STEP_NS])
def test_time_that_jumps_restarts(belief, watch, seen_at, stamp):
    watch([0.5, 0.1], 5, begin=40)
    state = belief.update(stamp, *seen_at([0.4, -0.1]), AWAY, ExecutedMotion())
    assert state.restarted
    np.testing.assert_allclose(state.scene.xy[0], [0.4, -0.1], atol=0.005)


@pytest.mark.parametrize("stamp", [5 * STEP_NS, 4 * STEP_NS])
def test_an_observation_that_is_late_or_repeated_changes_nothing(belief, watch, seen_at, stamp):
    watch([0.5, 0.1], 5)
    with pytest.raises(ValueError, match="newer than the last"):
        belief.update(stamp, *seen_at([0.4, -0.1]), AWAY, ExecutedMotion())
    after = watch([0.5, 0.1], 1, begin=6)
    assert not after.restarted
    np.testing.assert_allclose(after.scene.xy[0], [0.5, 0.1], atol=0.004)


def test_surprise_stays_while_there_is_nothing_to_compare(belief, watch):
    watch([0.5, 0.1], 10)
    first = watch([0.47, 0.1], 1, begin=11)
    hidden = watch([0.47, 0.1], 5, begin=12, visible=False)
    assert hidden.surprise == first.surprise > 0


def test_an_object_put_elsewhere_surprises_and_is_believed_soon(belief, watch, seen_at):
    calm = watch([0.5, 0.1], 10)
    assert calm.surprise < 1
    first = watch([0.4, -0.1], 1, begin=11)
    assert first.surprise > 1
    after = watch([0.4, -0.1], 2, begin=12)
    np.testing.assert_allclose(after.scene.xy[0], [0.4, -0.1], atol=0.006)


def test_nonsense_is_refused_and_changes_nothing(belief, watch, seen_at):
    before = watch([0.5, 0.1], 5)
    embedding, visibility = seen_at([0.5, 0.1])
    for bad in (np.full_like(embedding, np.nan), embedding[:3]):
        with pytest.raises(ValueError, match="finite embedding"):
            belief.update(6 * STEP_NS, bad, visibility, AWAY, ExecutedMotion())
    with pytest.raises(ValueError, match="tool position"):
        belief.update(6 * STEP_NS, embedding, visibility, ToolState.at(np.nan, 0.0, 0.027), ExecutedMotion())
    after = watch([0.5, 0.1], 1, begin=6)
    np.testing.assert_allclose(after.scene.xy[0], before.scene.xy[0], atol=0.003)


def test_an_observation_that_overflows_does_not_spoil_the_belief_for_good(belief, watch, seen_at):
    watch([0.5, 0.1], 5)
    embedding, visibility = seen_at([0.5, 0.1])
    embedding[5:] = 1e30
    with contextlib.suppress(ValueError):
        belief.update(6 * STEP_NS, embedding, visibility, AWAY, ExecutedMotion())
    after = watch([0.5, 0.1], 5, begin=7)
    assert np.isfinite(after.mean).all()
    np.testing.assert_allclose(after.scene.xy[0], [0.5, 0.1], atol=0.005)


@pytest.mark.parametrize("visibility", [np.nan, -0.1, 1.1])
def test_a_visibility_that_is_no_probability_is_refused(belief, seen_at, visibility):
    with pytest.raises(ValueError, match="visibility"):
        belief.update(STEP_NS, seen_at([0.5, 0.1])[0], visibility, AWAY, ExecutedMotion())
