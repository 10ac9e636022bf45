"""A model of scenes imagines only what a candidate can change, and that makes no difference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_core.paths import bundles_dir
from wm_core.scene import SceneState
from wm_core.scene_bundle import STILL, SceneBundle
from wm_core.solid import POINTS, Solid
from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_concern import concerned, near_pairs
from wm_dynamics.scene_model import SceneModel

TABLE = np.array([-0.1, -0.7, 1.1, 0.7])
SIZE = np.array([0.05, 0.04, 0.05])
BUNDLE = SceneBundle.load(bundles_dir() / "scene")
HAND = BUNDLE.hand
FORWARD = np.array([0.02, 0.0, 0.0, 0.0, 0.0, 0.0])


def boxes(*places) -> SceneBelief:
    """Boxes that stand on the table at places (K, 2)."""
    names = tuple(f"box_{number}" for number in range(len(places)))
    unknown, count = SceneState.unknown(names), len(places)
    outline = Solid.box(tuple(SIZE)).outline.reshape(1, 2 * POINTS)
    return SceneBelief.of(
        SceneState(
            np.ones(count),
            np.column_stack([np.array(places, float), np.full(count, SIZE[2] / 2)]),
            np.tile([0.0, 0.0, 0.0, 1.0], (count, 1)),
            np.zeros((count, 6)),
            unknown.variance,
            np.tile(SIZE, (count, 1)),
            np.tile(outline, (count, 1)),
            np.zeros((count, 0)),
            names,
        )
    )


def tool_at(x, y) -> np.ndarray:
    return np.array([x, y, 0.027, 0.0, 0.0, 0.0])


def everything(belief, tool, moves) -> np.ndarray:
    """States (E, N, H, K, 13) by the graph itself, with all objects in it."""
    members, (count, steps) = BUNDLE.ensemble, moves.shape[:2]
    result = BUNDLE.run(
        "rollout",
        state=belief.state.T.reshape(1, 13, belief.slots, 1).astype(np.float32),
        moves=np.broadcast_to(moves.transpose(1, 2, 0)[:, None], (steps, members, 6, count)).astype(np.float32),
        tool=tool.reshape(1, 6, 1).astype(np.float32),
        before=np.zeros((1, 6, 1), np.float32),
        outline=belief.outline[None, None].astype(np.float32),
        height=belief.height[None, None].astype(np.float32),
        code=belief.code[None, None].astype(np.float32),
        table=TABLE.reshape(1, 1, 4).astype(np.float32),
        pairs=near_pairs(belief),
    )
    return result["states"].transpose(1, 4, 0, 3, 2)


def test_what_is_pushed_and_what_it_may_push_are_concerned():
    belief = boxes((0.45, 0.0), (0.53, 0.0), (0.45, 0.4), (0.7, -0.3))
    moves = np.tile(FORWARD, (1, 6, 1))
    assert concerned(belief, HAND, tool_at(0.38, 0.0), moves).tolist() == [0, 1]
    assert concerned(belief, HAND, tool_at(0.2, 0.0), moves[:, :1]).tolist() == []


def test_the_palm_concerns_what_is_tall_enough():
    """It is wide, and higher than the fingers."""
    belief = boxes((0.45, 0.12))
    aside = tool_at(0.45, 0.0)
    assert concerned(belief, HAND, aside, np.zeros((1, 1, 6))).tolist() == [0]
    aside[2] = 0.15
    assert concerned(belief, HAND, aside, np.zeros((1, 1, 6))).tolist() == []


def test_what_slides_is_concerned_without_a_hand():
    belief = boxes((0.45, 0.0), (0.45, 0.4))
    belief.state[1, 7] = 0.2
    assert concerned(belief, HAND, tool_at(0.8, -0.5), np.zeros((1, 1, 6))).tolist() == [1]


def test_the_others_stay_and_nothing_touches_them():
    belief = boxes((0.45, 0.0), (0.45, 0.4))
    futures = SceneModel(BUNDLE, TABLE).imagine(belief, tool_at(0.39, 0.0), np.tile(FORWARD, (8, 6, 1)), every=True)
    np.testing.assert_array_equal(
        futures.states[..., 1, :], np.broadcast_to(np.float32(belief.state[1]), futures.states[..., 1, :].shape)
    )
    assert (futures.contacts[..., 1] == 0).all()
    np.testing.assert_allclose(futures.variances[0, 0, :, 1, 0], np.exp(STILL) * np.arange(1, 7), rtol=1e-5)
    assert futures.states[:, :, -1, 0, 0].mean() > 0.46  # this one is pushed


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 5))
def test_futures_are_those_of_the_whole_graph(seed, count):
    """With objects wherever they lie and the hand wherever it goes."""
    rng = np.random.default_rng(seed)
    belief = boxes(*rng.uniform([0.3, -0.3], [0.7, 0.3], (count, 2)))
    apart = np.linalg.norm(belief.position[:, None] - belief.position[None], axis=-1) + np.eye(count)
    if apart.min() < 0.07:  # in each other: no such scene
        return
    tool = np.array(
        [*rng.uniform([0.3, -0.3], [0.7, 0.3]), rng.uniform(0.01, 0.1), *rng.uniform(-1, 1, 2), rng.uniform(0, 0.08)]
    )
    moves = rng.uniform(-0.02, 0.02, (4, BUNDLE.horizon, 6)) * [1, 1, 0.3, 3, 1, 1]
    states = SceneModel(BUNDLE, TABLE).imagine(belief, tool, moves, every=True).states
    whole = everything(belief, tool, moves)
    np.testing.assert_allclose(states[..., :7], whole[..., :7], atol=3e-4)


def test_a_belief_of_other_objects_is_not_changed():
    belief = boxes((0.45, 0.0), (0.45, 0.4), (0.6, 0.2))
    some = belief.only(np.array([2, 0]))
    assert some.identities == ("box_2", "box_0")
    with pytest.raises(KeyError):
        some.slot("box_1")
