"""The family of scenes: geometry as numpy has it, what turns with the scene, and a bundle that computes what the network does."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from wm_core.hand import Hand
from wm_core.robot import load_robot
from wm_core.rotations import wrapped
from wm_core.scene_bundle import SceneBundle
from wm_core.solid import Solid
from wm_data.scenes.collect import collect_scenes
from wm_data.scenes.dataset import load_scenes
from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_model import SceneModel
from wm_learning.families.scene import SceneConfig, SceneNetwork
from wm_learning.families.scene.config import Stage
from wm_learning.families.scene.export import export_scene_bundle, load_weights
from wm_learning.families.scene.geometry import Boxes, Pose, Shape, Tool, apart, lines, supports, touches
from wm_learning.families.scene.training import SceneTraining, code_of, turned_by
from wm_learning.training.trainer import Draw
from wm_planner.scene.clearance import Prism, hand_gaps

HAND = Hand.of(load_robot("panda"))
SIZE = (0.06, 0.04, 0.05)
TABLE = torch.tensor([[[0.0, -1.0, 1.0, 1.0]]])


def states(*poses) -> torch.Tensor:
    """(1, 13, K, 1) of x, y, z, and roll, pitch, yaw [degrees]."""
    found = torch.zeros(1, 13, len(poses), 1)
    for slot, (x, y, z, *rpy) in enumerate(poses):
        found[0, :3, slot, 0] = torch.tensor([x, y, z])
        found[0, 3:7, slot, 0] = torch.tensor(
            Rotation.from_euler("xyz", rpy, degrees=True).as_quat(), dtype=torch.float32
        )
    return found


def shapes(count=1) -> tuple[torch.Tensor, torch.Tensor]:
    outline = torch.tensor(Solid.box(SIZE).outline, dtype=torch.float32)
    return outline.expand(1, 1, count, -1, -1), torch.full((1, 1, count), SIZE[2])


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SceneNetwork(SceneConfig(members=2, hidden=16, messages=8, horizon=3), HAND).eval()


@pytest.mark.parametrize(
    "tool", [(0.45, 0.0, 0.02, 0.3, 0.0, 0.0), (0.5, 0.0, 0.03, 0.7, 0.0, 0.07), (0.42, 0.02, 0.05, 3.0, 0.7, 0.02)]
)
def test_gaps_are_those_of_the_planner(network, tool):
    state = states((0.5, 0.01, 0.025, 0, 0, 25))
    shape, pose = Shape.of(*shapes()), Pose.of(state.unsqueeze(3))
    at = Tool.of(torch.tensor(tool).view(1, 6, 1, 1, 1))
    gaps, _, (cos, sin) = touches(shape, pose, lines(shape, pose), at, Boxes(*network._boxes))
    assert np.arctan2(float(sin), float(cos)) == pytest.approx(wrapped(np.radians(25) - tool[3]), abs=1e-5)
    solid = Solid.box(SIZE).turned(Rotation.from_euler("z", 25, degrees=True).as_matrix()).moved([0.5, 0.01, 0.025])
    outline = Solid.box(SIZE).outline @ Rotation.from_euler("z", -25, degrees=True).as_matrix()[:2, :2] + [0.5, 0.01]
    prism = Prism(outline, 0.0, solid.upper[2])
    assert float(gaps.min()) == pytest.approx(float(hand_gaps(HAND, np.array([tool]), prism)[0]), abs=2e-3)


def test_boxes_beside_each_other_are_apart_by_their_gap():
    state = states((0.5, 0.0, 0.025, 0, 0, 0), (0.565, 0.0, 0.025, 0, 0, 0), (0.5, 0.06, 0.025, 0, 0, 90))
    shape, pose = Shape.of(*shapes(3)), Pose.of(state.unsqueeze(3))
    reach, others = supports(pose, lines(shape, pose)), [1, 2]
    dx, dy, _ = (pose.place[:, :, others] - pose.place[:, :, :1]).split(1, 1)
    gaps = apart(dx, dy, reach[:, :, [0, 0]], reach[:, :, others]).flatten()
    assert gaps[0] == pytest.approx(0.005, abs=2e-3) and gaps[1] == pytest.approx(0.01, abs=2e-3)


def test_an_object_on_its_side_reaches_as_low_as_it_is_thick():
    state = states((0.5, 0.0, 0.02, 90, 0, 0))
    shape, pose = Shape.of(*shapes()), Pose.of(state.unsqueeze(3))
    assert float(lines(shape, pose).lowest) == pytest.approx(-0.02, abs=1e-3)


def imagine(network, state, tool, moves):
    count = state.shape[2]
    outline, height = shapes(count)
    pairs = torch.tensor([[0], [0]]) if count == 1 else torch.tensor([[0, 1], [1, 0]])
    members = network.config.members
    with torch.no_grad():
        return network(
            state.expand(members, -1, -1, -1),
            moves.expand(-1, members, -1, -1),
            tool.view(1, 6, 1).expand(members, -1, -1),
            torch.zeros(members, 6, 1),
            outline,
            height,
            torch.zeros(1, 1, count, 2),
            TABLE,
            pairs,
        )


def moved(*displacement, steps=3) -> torch.Tensor:
    moves = torch.zeros(steps, 1, 6, 1)
    moves[:, 0, :3, 0] = torch.tensor(displacement)
    return moves


def test_what_nothing_touches_stays_exactly(network):
    state = states((0.5, 0.0, 0.025, 0, 0, 30), (0.3, 0.2, 0.025, 0, 0, 0))
    found, _, _ = imagine(network, state, torch.tensor([0.6, -0.2, 0.02, 0, 0, 0]), moved(0.01, 0.0, 0.0))
    torch.testing.assert_close(found[-1], state.expand(2, -1, -1, -1), atol=1e-6, rtol=0)


def test_futures_turn_and_move_with_the_scene(network):
    """The same push seen from elsewhere moves the object by the same, turned."""
    first = imagine(
        network, states((0.5, 0.0, 0.025, 0, 0, 10)), torch.tensor([0.46, 0.0, 0.02, 0.2, 0, 0]), moved(0.02, 0.0, 0.0)
    )[0]
    turn = Rotation.from_euler("z", 50, degrees=True)
    there = turn.apply([[0.46, 0.0, 0.02], [0.5, 0.0, 0.025]])
    tool = torch.tensor([*there[0], 0.2 + np.radians(50), 0, 0], dtype=torch.float32)
    push = turn.apply([0.02, 0.0, 0.0])
    second = imagine(network, states((*there[1], 0, 0, 60)), tool, moved(*push))[0]
    by = [found[-1, :, :3, 0, 0].numpy() - place for found, place in ((first, [0.5, 0.0, 0.025]), (second, there[1]))]
    assert np.abs(by[0]).max() > 1e-4
    np.testing.assert_allclose(turn.apply(by[0]), by[1], atol=1e-5)


def test_rotation_vectors_between_quaternions():
    a, b = Rotation.from_rotvec([0.02, -0.01, 0.05]), Rotation.from_euler("z", 1.0)
    both = [torch.tensor(each.as_quat(), dtype=torch.float32).view(4, 1, 1) for each in (a * b, b)]
    np.testing.assert_allclose(turned_by(*both).flatten(), [0.02, -0.01, 0.05], atol=1e-4)


def test_usual_friction_and_mass_are_zero_and_empty_slots_too():
    code = code_of(np.array([0.45, 0.9, 0.0]), np.array([0.12, 0.12, 0.0]))
    np.testing.assert_allclose(code, [[0, 0], [np.log(2), 0], [0, 0]], atol=1e-6)


def test_training_lowers_the_error(tmp_path):
    collect_scenes(["single"], 4, tmp_path, 0, 1)
    training, held_out = load_scenes(tmp_path).split(0.25)
    torch.manual_seed(0)
    network = SceneNetwork(SceneConfig(members=2, hidden=32, messages=8), HAND)
    learning = SceneTraining(network, training, held_out)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    stage = Stage(60, 3, 24, 3e-3)

    def error() -> float:
        """Of the same windows each time."""
        return float(np.mean([learning._loss(Draw((9, i)), stage, learning._train)[1]["pose"] for i in range(4)]))

    before = error()
    for step in range(60):
        loss, numbers = learning._loss(Draw((0, step)), stage, learning._train)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert error() < 0.9 * before and np.isfinite(numbers["mm"])


def test_a_bundle_imagines_what_the_network_does(network, tmp_path):
    export_scene_bundle(
        network, HAND, tmp_path / "bundle", "scene-test", intervals=np.ones((3, 2)), data={}, metrics={}
    )
    bundle = SceneBundle.load(tmp_path / "bundle")
    bundle.check_hand(HAND)
    model = SceneModel(bundle, np.array([0.0, -1.0, 1.0, 1.0]))
    state = states((0.5, 0.0, 0.025, 0, 0, 10), (0.555, 0.0, 0.025, 0, 0, 0))
    belief = SceneBelief(
        ("a", "b"),
        state[0, :, :, 0].T.numpy().astype(float),
        np.zeros((2, 2)),
        np.stack([Solid.box(SIZE).outline] * 2),
        np.full(2, SIZE[2]),
        np.zeros((2, 2)),
        np.ones(2, bool),
    )
    moves, tool = np.zeros((5, 3, 6)), np.array([0.46, 0.0, 0.02, 0.0, 0.0, 0.0])
    moves[:, :, 0] = 0.004 * np.arange(5)[:, None]
    every, one = model.imagine(belief, tool, moves, every=True), model.imagine(belief, tool, moves)
    assert every.states.shape == (2, 5, 3, 2, 13) and one.states.shape == (1, 5, 3, 2, 13)
    for number in range(5):
        wanted = imagine(network, state, torch.tensor(tool, dtype=torch.float32), moved(0.004 * number, 0.0, 0.0))[0]
        np.testing.assert_allclose(every.states[:, number], wanted[..., 0].permute(1, 0, 3, 2), atol=1e-5)
        np.testing.assert_allclose(one.states[0, number], every.states[number % 2, number], atol=1e-5)
    again = SceneNetwork(network.config, HAND)
    load_weights(again, tmp_path / "bundle")
    torch.testing.assert_close(again.first.weight, network.first.weight)
    (tmp_path / "bundle" / "rollout.onnx").write_bytes(b"torn")
    with pytest.raises(ValueError, match="expected sha256"):
        SceneBundle.load(tmp_path / "bundle")


def test_a_hand_unlike_that_of_the_training_is_refused(network, tmp_path):
    export_scene_bundle(
        network, HAND, tmp_path / "bundle", "scene-test", intervals=np.ones((3, 2)), data={}, metrics={}
    )
    other = Hand(HAND.finger * 2, HAND.finger_z, HAND.palm, HAND.palm_position, HAND.opening)
    with pytest.raises(ValueError, match="expected fingers of"):
        SceneBundle.load(tmp_path / "bundle").check_hand(other)
