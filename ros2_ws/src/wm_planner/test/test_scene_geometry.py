"""Gaps between hand and objects, ways around them, grasps and pushes that keep clear."""

import numpy as np
import pytest
from scene_examples import BAR, CUBE, HAND, LIMIT, LOWER, SLAB, UPPER, believed

from wm_core.solid import Solid
from wm_planner.scene.clearance import box_prisms, hand_gaps, least_gap, moved_gaps, prisms
from wm_planner.scene.grasps import library
from wm_planner.scene.pushes import propose
from wm_planner.scene.targets import Target
from wm_planner.scene.travel import next_move, route, there


def tool(x, y, z=0.02, yaw=0.0, pitch=0.0, opening=0.0):
    return np.array([[x, y, z, yaw, pitch, opening]])


def test_the_gap_of_closed_fingers_beside_a_cube_is_that_between_their_faces():
    (cube,) = prisms(believed(cube=(CUBE, 0.5, 0.0, 0.0)))
    beside = tool(0.5 - 0.025 - 0.01 - 0.007, 0.0)
    assert hand_gaps(HAND, beside, cube, fingers_only=True)[0] == pytest.approx(0.007, abs=1e-3)
    assert hand_gaps(HAND, tool(0.5, 0.0), cube)[0] < 0
    assert hand_gaps(HAND, tool(0.5, 0.0, 0.12), cube)[0] == pytest.approx(0.12 - 0.008 - 0.05, abs=2e-3)


def test_open_fingers_stand_around_what_fits_between_them():
    (cube,) = prisms(believed(cube=(CUBE, 0.5, 0.0, 0.0)))
    assert hand_gaps(HAND, tool(0.5, 0.0, opening=0.08), cube, fingers_only=True)[0] > 0.01
    assert hand_gaps(HAND, tool(0.5, 0.0, opening=0.04), cube)[0] < 0


def test_the_palm_hits_what_is_taller_than_the_fingers_are_long():
    tall = ((0.05, 0.05, 0.13), 0.5, 0.0, 0.0)
    (prism,) = prisms(believed(tall=tall))
    beside = tool(0.5 - 0.025 - 0.015, 0.0)
    assert hand_gaps(HAND, beside, prism, fingers_only=True)[0] > 0
    assert hand_gaps(HAND, beside, prism)[0] < 0
    leaning = tool(0.5 - 0.025 - 0.03, 0.0, 0.03, np.pi, 0.6)  # turned round and pitched: the fingers point ahead
    assert hand_gaps(HAND, leaning, prism)[0] > 0


def test_outlines_that_are_moved_keep_their_distance():
    _, other = prisms(believed(cube=(CUBE, 0.4, 0.0, 0.0), slab=(SLAB, 0.6, 0.0, 0.0)))
    poses = np.array([[0.4, 0.0, 0.0], [0.51, 0.0, 0.0], [0.51, 0.0, np.pi / 4]])
    gaps = moved_gaps(Solid.box(CUBE).outline, poses, 0.0, 0.05, other)
    assert gaps[1] == pytest.approx(0.005, abs=2e-3) and gaps[2] < 0 and gaps[0] > 0.05
    assert (moved_gaps(Solid.box(CUBE).outline, poses, 0.06, 0.11, other) > 0.1).all()  # above it


def test_a_wall_is_hit_anywhere_along_it():
    (wall,) = box_prisms(np.array([[0.5, -0.3, 0.0, 0.52, 0.3, 0.1]]))
    for y in (-0.25, 0.003, 0.12):
        assert hand_gaps(HAND, tool(0.5 - 0.01 - 0.006, y), wall, fingers_only=True)[0] == pytest.approx(
            0.006, abs=2e-3
        )
        assert hand_gaps(HAND, tool(0.51, y), wall)[0] < 0
    assert hand_gaps(HAND, tool(0.51, 0.0, 0.15), wall)[0] > 0.03  # over it


def test_a_way_goes_straight_where_it_is_free_and_over_or_around_where_it_is_not():
    rng = np.random.default_rng(0)
    standing = prisms(believed(slab=(SLAB, 0.5, 0.0, 0.0)))
    begin, end = tool(0.38, 0.0)[0], tool(0.62, 0.0)[0]
    free = route(HAND, begin, tool(0.38, 0.2)[0], standing, LOWER, UPPER, rng)
    assert len(free) == 1
    way = route(HAND, begin, end, standing, LOWER, UPPER, rng)
    assert len(way) > 1 and np.allclose(way[-1], end)
    at, least = begin.copy(), np.inf
    for target in way:
        while not there(at, target):
            at = at + next_move(at, target, LIMIT)
            least = min(least, float(least_gap(HAND, at[None], standing)[0]))
    assert least > 0.002


def test_grasps_are_as_wide_as_what_they_hold_and_the_best_goes_through_the_middle():
    best = library(Solid.box(CUBE).outline, HAND)[0]
    assert best.width == pytest.approx(0.05, abs=2e-3) and np.linalg.norm(best.place) < 0.01
    assert all(grasp.width < 0.08 for grasp in library(Solid.box(BAR).outline, HAND))
    assert library(Solid.box(SLAB).outline, HAND) == []


def test_pushes_begin_beside_the_object_and_clear_of_all_others():
    belief = believed(cube=(CUBE, 0.5, 0.0, 0.3), other=(SLAB, 0.5, 0.12, 0.0))
    target = Target(0, np.array([0.6, 0.0]))
    pushes = propose(belief, [target], prisms(belief), HAND, LOWER, UPPER, 12, 64, np.random.default_rng(0))
    assert len(pushes.start) > 20 and (pushes.slot == 0).all()
    for prism in prisms(belief):
        assert hand_gaps(HAND, pushes.start, prism).min() > 0
    near = np.linalg.norm(pushes.start[:, :2] - belief.state[0, :2], axis=1)
    assert near.max() < 0.12
    assert np.linalg.norm(pushes.moves[:, :, :2], axis=-1).max() <= LIMIT[0]


def test_what_is_tall_is_pushed_with_a_hand_that_leans_back():
    belief = believed(tall=((0.05, 0.05, 0.13), 0.5, 0.0, 0.0))
    target = Target(0, np.array([0.6, 0.0]))
    upright = propose(belief, [target], prisms(belief), HAND, LOWER, UPPER, 12, 32, np.random.default_rng(0))
    assert upright.start[:, 2].min() > 0.09 and (upright.start[:, 4] == 0).all()
    leaning = propose(
        belief, [target], prisms(belief), HAND, LOWER, UPPER, 12, 32, np.random.default_rng(0), leaning=True
    )
    low = np.abs(leaning.start[:, 4]) > 0
    assert low.any() and leaning.start[low, 2].max() < 0.07
