"""Which bodies come too near, and how fast the arm may go on."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_core.kinematics import Kinematics
from wm_core.robot import RobotError, load_robot, robot_names
from wm_description.check import check_robot
from wm_guard.collisions import Approach, Box, Collisions

ROBOTS = robot_names()


@pytest.fixture(scope="module")
def arms() -> dict[str, tuple[Kinematics, Collisions]]:
    kinematics = {name: Kinematics(load_robot(name)) for name in ROBOTS}
    return {name: (each, Collisions(each)) for name, each in kinematics.items()}


def above(kinematics: Kinematics, height: float) -> np.ndarray:
    """Joints with the tool's tip at a height over the middle of the table."""
    tool = kinematics.robot.tool
    return kinematics.ik(np.array([0.5, 0.0, height]), tool.rotation, kinematics.robot.home.joints)


@pytest.mark.parametrize("robot", ROBOTS)
def test_pushing_along_the_table_is_not_slowed(arms, robot):
    kinematics, collisions = arms[robot]
    here = above(kinematics, kinematics.robot.tool.height)
    for x, y in ((0.02, 0.0), (-0.02, 0.01), (0.0, -0.02)):
        there = kinematics.ik(kinematics.fk(here)[0] + [x, y, 0.0], kinematics.robot.tool.rotation, here)
        assert collisions.approach(here, there).scale == 1.0


@pytest.mark.parametrize("robot", ROBOTS)
def test_the_tool_is_slowed_above_the_table_and_stops_at_the_margin(arms, robot):
    kinematics, collisions = arms[robot]
    lowest = min(box.size[2] for box in kinematics.robot.tool.boxes) / 2  # of the tool, below its box's middle
    tip = lowest - 0.0185  # the shipped tools' lowest box has its middle 18.5 mm above the tip
    high, low, at_margin = (above(kinematics, tip + clear) for clear in (0.05, 0.007, 0.0029))
    found = collisions.approach(high, low)
    assert 0 < found.scale < 1 and found.bodies[1] == "table"
    assert found.distance == pytest.approx(0.007, abs=5e-4)
    assert collisions.approach(low, at_margin).scale == 0
    assert collisions.approach(at_margin, low).scale == 1, "the way up is free"


@pytest.mark.parametrize("robot", ROBOTS)
def test_the_arm_does_not_fold_into_itself(arms, robot):
    """From home towards random poses in which two links are in each other: always stopped before, always free on the way back."""
    kinematics, collisions = arms[robot]
    rng = np.random.default_rng(3)
    into, tried = 0, 0
    while into < 5 and tried < 3000:
        tried += 1
        q = rng.uniform(kinematics.lower, kinematics.upper)
        depth = [
            distance
            for distance, pair in zip(collisions.distances(q), collisions.pairs, strict=True)
            if pair[1] != "table"
        ]
        if min(depth) > 0:
            continue
        into += 1
        assert collisions.approach(kinematics.robot.home.joints, q).scale == 0
        assert collisions.approach(q, kinematics.robot.home.joints).scale == 1
    assert into or robot == "iiwa", "expected poses in which the arm touches itself"


def test_a_believed_object_stops_the_forearm_but_not_the_tool(arms):
    kinematics, collisions = arms["panda"]
    here = above(kinematics, 0.2)
    there = above(kinematics, 0.1)
    wrist = kinematics.link_pose("panda_link5", there)
    cube = np.full(3, 0.06)
    try:
        collisions.place([Box("cup", wrist, cube)])
        stopped = collisions.approach(here, there)
        assert stopped.scale == 0 and stopped.bodies[1] == "cup"
        tip = np.eye(4)
        tip[:3, 3] = kinematics.fk(there)[0]
        collisions.place([Box("cup", tip, cube)])
        assert collisions.approach(here, there).scale == 1, "the tool may touch what it pushes"
    finally:
        collisions.place([])
    assert collisions.approach(here, there).scale == 1


def test_more_objects_than_slots_are_no_error():
    collisions = Collisions(Kinematics(load_robot("panda")), slots=2)
    collisions.place([Box(f"object_{i}", np.eye(4), np.full(3, 0.05)) for i in range(5)])
    assert {pair[1] for pair in collisions.pairs} >= {"object_0", "object_1"}
    assert "object_2" not in {pair[1] for pair in collisions.pairs}


def test_what_a_profile_keeps_out(tmp_path: Path):
    robot = with_keep_out(tmp_path, {
        "half_spaces": [{"name": "wall", "normal": [0, -2, 0], "offset": -0.6}],  # y <= 0.3
        "boxes": [{"name": "post", "position": [0.6, -0.25, 0.2], "rpy_deg": [0, 0, 0], "size": [0.05, 0.05, 0.4]}],
    })  # fmt: skip
    kinematics = Kinematics(robot)
    collisions = Collisions(kinematics)

    def at(x: float, y: float) -> np.ndarray:
        return kinematics.ik(np.array([x, y, 0.1]), robot.tool.rotation, above(kinematics, 0.1))

    def bodies(found: Approach) -> tuple[float, str]:
        return found.scale, found.bodies[1]

    assert bodies(collisions.approach(at(0.5, 0.1), at(0.5, 0.28))) == (0.0, "wall")
    assert bodies(collisions.approach(at(0.5, -0.2), at(0.6, -0.22))) == (0.0, "post")
    assert collisions.approach(at(0.5, 0.0), at(0.5, 0.1)).scale == 1.0


def test_a_home_in_what_is_kept_out_is_refused_by_name(tmp_path: Path):
    robot = with_keep_out(tmp_path, {"half_spaces": [{"name": "ceiling", "normal": [0, 0, -1], "offset": -0.5}]})
    with pytest.raises(RobotError, match="keep_out: expected 'ceiling' clear of the arm at home"):
        Collisions(Kinematics(robot))
    (error,) = check_robot(robot.file).errors  # `wm robot check` says so before
    assert error.startswith("keep_out: 'ceiling': expected it clear of the arm at home")


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_way_that_comes_nearer_to_nothing_is_never_slowed(arms, seed):
    kinematics, collisions = arms["ur5e"]
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(kinematics.lower, kinematics.upper, (2, len(kinematics.lower)))
    nearer = collisions.distances(b) < collisions.distances(a)
    found = collisions.approach(a, b)
    assert 0 <= found.scale <= 1
    assert nearer.any() or found.scale == 1


def with_keep_out(folder: Path, keep_out: dict):
    """The Panda with zones that its arm must not enter."""
    panda = load_robot("panda")
    data = yaml.safe_load(panda.file.read_text())
    data |= {"urdf": str(panda.file.parent / "panda.urdf"), "keep_out": keep_out}
    file = folder / "profile.yaml"
    file.write_text(yaml.safe_dump(data))
    return load_robot(file)
