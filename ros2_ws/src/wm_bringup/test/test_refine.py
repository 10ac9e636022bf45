"""`wm calibrate-cameras refine`: depth of a fisheye, in a unit of its driver's, and joints that come between images."""

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image, JointState

from wm_bringup.calibration.streams import StreamError, Streams, WholeImages
from wm_bringup.calibration.topics import Topics, topics_of
from wm_bringup.cli.calibrate_cameras import refine
from wm_core.camera_model import Rectified
from wm_core.command_line import main
from wm_core.kinematics import Kinematics
from wm_core.rig import CameraRig
from wm_core.robot import load_robot
from wm_core.stamps import to_msg
from wm_perception.rig_check import Change
from wm_sim.action_driver import ActionDriver
from wm_sim.arm_sim import ArmSim
from wm_sim.plates import rays
from wm_sim.world import load_world

SIZE = 320
FISHEYE = (0.06, -0.03, 0.01, -0.003)
UNIT = 0.00025  # [m], as of a RealSense in its high accuracy mode
RIG = """\
frame_id: table
cameras:
  - {{name: left, width: 320, height: 320, fov_y_deg: 47, position: {position}, look_at: [0.50, 0.02, 0.0]{unit}}}
"""
PLACE = np.array([0.50, 0.62, 0.62])
MOMENTS = 4
REACH = np.array([[0.3, -0.3], [0.7, 0.3]])


def rig_file(path: Path, position: np.ndarray = PLACE, unit: str = f", depth_unit: {UNIT}") -> Path:
    path.write_text(RIG.format(position=np.round(position, 4).tolist(), unit=unit))
    return path


class FakeNode:
    """Keeps what is subscribed; `publish` hands it messages."""

    def __init__(self) -> None:
        self._taken = {}

    def create_subscription(self, kind, topic, callback, qos) -> None:
        self._taken[topic] = callback

    def count_publishers(self, topic) -> int:
        return int(topic == "/clock")

    def publish(self, topic, message) -> None:
        if topic in self._taken:
            self._taken[topic](message)


def info(rig: CameraRig, model: str = "equidistant") -> CameraInfo:
    return CameraInfo(width=SIZE, height=SIZE, k=rig["left"].K.ravel(), d=list(FISHEYE), distortion_model=model)


def joints(q: np.ndarray, stamp_ns: int) -> JointState:
    message = JointState(name=list(Kinematics(load_robot()).joint_names), position=q.tolist())
    message.header.stamp = to_msg(stamp_ns)
    return message


def through_fisheye(depth: np.ndarray, K: np.ndarray) -> np.ndarray:
    """What a fisheye sees where a pinhole with the same K sees `depth` (H, W); 0 past its edge."""
    pixels = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1).reshape(-1, 2).astype(float)
    u, v = np.rint(rays(K, np.array(FISHEYE), pixels, fisheye=True) @ K.T)[:, :2].astype(int).T
    inside = (u >= 0) & (u < SIZE) & (v >= 0) & (v < SIZE)
    seen = np.where(inside, depth[np.clip(v, 0, SIZE - 1), np.clip(u, 0, SIZE - 1)], 0)
    return seen.reshape(SIZE, SIZE)


@pytest.fixture(scope="module")
def moments(tmp_path_factory) -> list[tuple[np.ndarray, np.ndarray]]:
    """Depth (H, W) [m] of the fisheye and joints while the tool goes over the table."""
    rig = CameraRig.load(rig_file(tmp_path_factory.mktemp("rig") / "rig.yaml"))
    sim, rng, found = ArmSim(load_world("tabletop_block"), rig), np.random.default_rng(0), []
    sim.reset(3)
    driver = ActionDriver(sim, 0.02, 0.1)
    for _ in range(MOMENTS):
        target = rng.uniform(*REACH)
        for _ in range(10):
            driver.act(np.clip((target - driver.commanded) / 0.02, -1, 1))
        found.append((through_fisheye(sim.render("left")[1], rig["left"].K), driver.joints()))
    return found


@pytest.fixture
def running(moments, monkeypatch):
    """A robot whose camera sees one moment after another, a step each time the node is served."""
    node, steps = FakeNode(), iter(range(10**6))
    rig_info = None

    def spin(seconds: float) -> None:
        nonlocal rig_info
        step = next(steps)
        depth, q = moments[step // 2 % len(moments)]
        stamp = 10**9 + step * 10**7
        node.publish("joint_states", joints(q, stamp))
        values = np.rint(depth / UNIT).astype("<u2")
        image = Image(width=SIZE, height=SIZE, encoding="16UC1", step=2 * SIZE, data=values.tobytes())
        image.header.stamp, image.header.frame_id = to_msg(stamp), "left_depth_optical_frame"
        node.publish("left/aligned_depth_to_color/image_raw", image)
        node.publish("left/color/camera_info", rig_info)

    @contextmanager
    def speaker(namespace: str):
        yield SimpleNamespace(node=node, spin=spin)

    def sends(message: CameraInfo) -> None:
        nonlocal rig_info
        rig_info = message

    monkeypatch.setattr(refine, "speaker", speaker)
    monkeypatch.setattr(refine, "PERIOD_S", 0.05)
    return sends


def test_a_bumped_fisheye_is_put_right_through_its_lens_and_in_its_unit(running, tmp_path: Path):
    """Read as a pinhole's depth in millimetres, the table would be four times as far and bent."""
    rig = rig_file(tmp_path / "rig.yaml", PLACE + [0.006, -0.008, 0.006])
    running(info(CameraRig.load(rig)))
    assert main(["calibrate-cameras", "refine", "--rig", str(rig), "--frames", "6"]) == 0
    found = CameraRig.load(rig)["left"]
    assert np.linalg.norm(found.T_table_optical[:3, 3] - PLACE) < 0.003 and found.depth_unit == UNIT


def test_depth_in_another_unit_than_the_rig_says_is_refused(running, tmp_path: Path, capsys):
    rig = rig_file(tmp_path / "rig.yaml", unit="")
    before = rig.read_text()
    running(info(CameraRig.load(rig)))
    assert main(["calibrate-cameras", "refine", "--rig", str(rig), "--frames", "2"]) == 1
    assert "write depth_unit: 0.00025 for 'left' into the rig" in capsys.readouterr().out
    assert rig.read_text() == before


@pytest.mark.parametrize(("shift", "at_table"), [(0.05, 0.01), (0.01, 0.04)])
def test_a_change_that_is_no_bump_is_refused(running, monkeypatch, tmp_path: Path, capsys, shift, at_table):
    monkeypatch.setattr(
        "wm_perception.rig_check.look", lambda *a, **k: Change(np.eye(4), shift, 1.0, at_table, (), 500)
    )
    rig = rig_file(tmp_path / "rig.yaml")
    before = rig.read_text()
    running(info(CameraRig.load(rig)))
    assert main(["calibrate-cameras", "refine", "--rig", str(rig), "--frames", "2"]) == 1
    assert "expected a bump of 3 cm or less" in capsys.readouterr().out
    assert rig.read_text() == before


def test_depth_that_is_not_aligned_to_colour_is_refused(running, tmp_path: Path, capsys):
    rig = rig_file(tmp_path / "rig.yaml")
    said = info(CameraRig.load(rig))
    said.header.frame_id = "left_color_optical_frame"
    running(said)
    words = ["calibrate-cameras", "refine", "--rig", str(rig), "--frames", "2", "--check"]
    assert main(words) == refine.ERROR_STATUS
    assert "got frame_id 'left_depth_optical_frame'; turn alignment on" in capsys.readouterr().err
    assert main([*words, "--aligned-depth"]) == 0


def test_a_lens_of_an_unknown_model_is_refused_by_name(running, tmp_path: Path, capsys):
    rig = rig_file(tmp_path / "rig.yaml")
    running(info(CameraRig.load(rig), "inverse_brown"))
    assert main(["calibrate-cameras", "refine", "--rig", str(rig), "--frames", "2"]) == refine.ERROR_STATUS
    assert "got 'inverse_brown' with 4 coefficients; use rectified images" in capsys.readouterr().err


# -- what the verbs listen to ----------------------------------------------------------------------------------------


def listening(kinematics: Kinematics, sent, topics: Topics | None = None) -> tuple[Streams, WholeImages]:
    """Streams of a camera's colour; each service of the node sends what `sent(step)` has."""
    node, steps, names = FakeNode(), iter(range(10**6)), topics or Topics()
    camera = WholeImages(names.colour.format(camera="left"), names.info.format(camera="left"))
    return Streams(
        node,
        lambda seconds: [node.publish(topic, message) for topic, message in sent(next(steps))],
        kinematics,
        {"left": camera.reader},
    ), camera


def test_joints_are_those_between_the_states_before_and_after_the_image():
    kinematics = Kinematics(load_robot())
    home = np.array(kinematics.robot.home.joints)
    image = Image(width=SIZE, height=SIZE, encoding="rgb8", step=3 * SIZE, data=bytes(3 * SIZE**2))
    image.header.stamp = to_msg(10**9 + 15 * 10**6)
    lens = info_of(K=np.diag([300.0, 300.0, 1.0]))

    def sent(step: int):
        """An image comes before the states around its time."""
        yield from [("left/color/camera_info", lens), ("left/color/image_raw", image)] if step == 0 else []
        yield "joint_states", joints(home + 0.1 * step, 10**9 + step * 10**7)

    streams, camera = listening(kinematics, sent)
    _, q = streams.take(still=False)["left"]
    assert np.allclose(q, home + 0.15)
    assert camera.lens.K[0, 0] == 300


def test_a_lens_that_is_refused_is_named_and_not_its_silence(monkeypatch):
    monkeypatch.setattr("wm_bringup.calibration.streams.PATIENCE_S", 0.1)
    wrong = info_of(K=np.diag([300.0, 300.0, 1.0]), d=[0.1] * 5, distortion_model="inverse_brown")
    streams, _ = listening(Kinematics(load_robot()), lambda step: [("left/color/camera_info", wrong)])
    with pytest.raises(StreamError, match="left/color/camera_info: .*got 'inverse_brown'"):
        streams.await_all()


def test_rectified_images_have_the_lens_of_their_projection():
    P = np.c_[np.diag([280.0, 280.0, 1.0]), np.zeros(3)]
    sent = info_of(K=np.diag([300.0, 300.0, 1.0]), d=[0.1] * 5, distortion_model="plumb_bob", p=P.ravel())
    camera = WholeImages("left/color/image_rect", "left/color/camera_info", rectified=True)
    camera.reader.info(sent)
    assert camera.lens.K[0, 0] == 280 and camera.lens.model == ""


def test_what_calibrating_takes_for_rectified_is_what_perception_does(tmp_path: Path):
    file = tmp_path / "own.yaml"
    file.write_text(
        "/**/wm_perception: {ros__parameters: {colour_topic: '{camera}/rgb/image_raw', depth_topic: '{camera}/depth/image_rect'}}"
    )
    by_name = topics_of(load_robot(), [file], {"rectified": ""})
    assert by_name.rectified_of("left") == Rectified(colour=False, depth=True)
    assert topics_of(load_robot(), [file], {"rectified": "true"}).rectified_of("left") == Rectified(True, True)
    file.write_text("/**/wm_perception: {ros__parameters: {rectified: 'true'}}")
    assert topics_of(load_robot(), [file], {}).rectified_of("left") == Rectified(True, True)


def info_of(K: np.ndarray, **fields) -> CameraInfo:
    return CameraInfo(width=SIZE, height=SIZE, k=K.ravel(), **fields)
