"""Ways of an object around the others."""

import numpy as np
from scene_examples import CUBE, REGION, believed

from wm_core.goal import PoseGoal
from wm_planner.scene.around import Around
from wm_planner.scene.clearance import prisms
from wm_planner.scene.targets import aim_of

WALL = (0.03, 0.2, 0.05)


def test_a_way_around_a_wall_is_longer_by_what_it_goes_aside():
    wall = prisms(believed(wall=(WALL, 0.5, 0.0, 0.0)))
    around = Around.to(np.array([0.6, 0.0]), 0.03, wall, REGION)
    behind, aside = around.at(np.array([[0.4, 0.0], [0.4, 0.25]]))
    over_its_end = 2 * np.hypot(0.1, 0.14) - 0.2
    assert abs(behind - over_its_end) < 0.05 and aside < 0.02
    assert around.at(np.array([0.6, 0.0])) == 0


def test_without_anything_in_the_way_it_is_straight():
    around = Around.to(np.array([0.6, 0.1]), 0.03, [], REGION)
    places = np.random.default_rng(0).uniform(*REGION, (200, 2))
    np.testing.assert_allclose(around.at(places), 0.0, atol=1e-9)


def aim(wall_y: float):
    belief = believed(cube=(CUBE, 0.4, 0.0, 0.0), wall=(WALL, 0.5, wall_y, 0.0))
    goal = PoseGoal({"x": 0.6, "y": 0.0}, 0.02, identity="cube")
    return belief, aim_of(goal, belief, *REGION).with_ways(belief, prisms(belief), REGION)


def test_what_is_behind_a_wall_is_brought_around_its_nearer_end():
    belief, found = aim(wall_y=0.03)
    (target,) = found.targets
    ahead = target.ahead(belief.state[0, :2])
    assert ahead[1] < 0 and abs(ahead[1]) > 0.3 * abs(ahead[0])
    assert target.off(belief.state) > 0.25  # the way; straight it is 20 cm
    assert found.progress(belief)["cube"] < 0.201


def test_what_is_not_in_the_way_changes_nothing():
    belief, found = aim(wall_y=0.2)
    assert found.targets[0].around is None
    np.testing.assert_allclose(found.targets[0].ahead(belief.state[0, :2]), [0.2, 0.0], atol=1e-9)
