"""Bird's-eye-view maps: the same world through any camera, the arm left out, the highest point kept."""

import numpy as np
import pytest

from wm_core.rig import looking_at
from wm_core.specs import BevSpec
from wm_perception.bev import Projector, fill_holes, fuse, in_boxes

SPEC = BevSpec()
HEIGHT, WIDTH = 96, 96
K = np.array([[100.0, 0, 47.5], [0, 100.0, 47.5], [0, 0, 1]])


def camera_at(x, y, z):
    pose = np.eye(4)
    pose[:3, 3] = [x, y, z]
    pose[:3, :3] = looking_at(pose[:3, 3], np.array([0.5, 0.0, 0.0]))
    return pose


def see(pose, height_at):
    """Depth image of a height field z = height_at(x, y), by marching along the rays."""
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH]
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones(u.shape)], -1) @ pose[:3, :3].T
    depth = np.zeros((HEIGHT, WIDTH), np.float32)
    for distance in np.arange(0.3, 2.0, 0.001):
        points = pose[:3, 3] + distance * rays
        hit = (depth == 0) & (points[..., 2] <= height_at(points[..., 0], points[..., 1]))
        depth[hit] = distance
    return depth


def box(x, y):
    return np.where((np.abs(x - 0.5) < 0.03) & (np.abs(y - 0.05) < 0.03), 0.06, 0.0)


@pytest.mark.parametrize("place", [(0.5, 0.6, 0.6), (0.5, -0.6, 0.6), (1.1, 0.1, 0.6)])
def test_a_box_is_where_it_is_from_any_side(place):
    pose = camera_at(*place)
    bev = Projector(K, pose, HEIGHT, WIDTH, SPEC).project(np.full((HEIGHT, WIDTH, 3), 128, np.uint8), see(pose, box))
    rows, columns = np.nonzero(bev[0] > 0.05 / SPEC.z_max)
    centre = [SPEC.x_min + (rows.mean() + 0.5) * SPEC.cell, SPEC.y_min + (columns.mean() + 0.5) * SPEC.cell]
    np.testing.assert_allclose(centre, [0.5, 0.05], atol=0.008)
    assert bev[0].max() * SPEC.z_max == pytest.approx(0.06, abs=0.004)


def test_colours_stay_with_their_points():
    pose = camera_at(0.5, 0.6, 0.6)
    depth = see(pose, box)
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[..., 1] = 255
    bev = Projector(K, pose, HEIGHT, WIDTH, SPEC).project(rgb, depth)
    seen = bev[4] > 0
    assert (bev[2][seen] == 1).all() and (bev[1][seen] == 0).all()
    assert (bev[:, ~seen] == 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, 0.0])
def test_pixels_without_a_reading_leave_unobserved_cells(bad):
    projector = Projector(K, camera_at(0.5, 0.6, 0.6), HEIGHT, WIDTH, SPEC)
    bev = projector.project(np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.full((HEIGHT, WIDTH), bad, np.float32))
    assert not bev.any()


def test_points_of_the_robot_are_left_out():
    pose = camera_at(0.5, 0.6, 0.6)
    around_the_box = np.eye(4)
    around_the_box[:3, 3] = [0.5, 0.05, 0.04]
    bev = Projector(K, pose, HEIGHT, WIDTH, SPEC).project(
        np.zeros((HEIGHT, WIDTH, 3), np.uint8), see(pose, box), [(around_the_box, np.array([0.04, 0.04, 0.045]))]
    )
    assert bev[0].max() * SPEC.z_max < 0.02


def test_boxes_turn_with_their_pose():
    turned = np.eye(4)
    turned[:2, :2] = [[0, -1], [1, 0]]
    points = np.array([[0.0, 0.09, 0], [0.09, 0, 0]], np.float32)
    assert in_boxes(points, [(turned, np.array([0.1, 0.01, 0.01]))]).tolist() == [True, False]


def test_fusing_keeps_the_higher_and_fills_the_unseen():
    low, high = np.zeros((5, 2, 2), np.float32), np.zeros((5, 2, 2), np.float32)
    low[:, 0, 0], high[:, 0, 0] = [0.1, 0, 0, 0, 1], [0.4, 1, 1, 1, 1]
    low[4, 1, 1] = 1
    fused = fuse([low, high])
    assert fused[0, 0, 0] == np.float32(0.4)
    assert fused[4, 1, 1] == 1 and fused[4, 0, 1] == 0
    np.testing.assert_array_equal(fused, fuse([high, low]))


def test_one_cell_gaps_are_filled_but_not_shadows():
    bev = np.zeros((5, 3, 7), np.float32)
    bev[4, :, [0, 2, 6]] = 1
    filled = fill_holes(bev)
    assert (filled[4, :, 1] == 1).all()
    assert (filled[4, :, 4] == 0).all()


def test_wrong_image_sizes_are_refused():
    projector = Projector(K, np.eye(4), HEIGHT, WIDTH, SPEC)
    with pytest.raises(ValueError, match="depth image of shape"):
        projector.project(np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.zeros((4, 4), np.float32))
    with pytest.raises(ValueError, match="colour image of shape"):
        projector.project(np.zeros((4, 4, 3), np.uint8), np.zeros((HEIGHT, WIDTH), np.float32))
