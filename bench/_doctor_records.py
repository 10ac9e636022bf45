"""Records of healthy systems, as `wm doctor --live` would make them: a profile of _doctor_profiles.yaml, an arm in motion, a table."""

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import yaml

from wm_bringup.doctor.observed import (
    CONTROLLER_STATE,
    IMAGE,
    INFO,
    INTERPOLATES,
    JOINTS,
    TRAJECTORY,
    CameraTopics,
    Endpoint,
    Heard,
    Machine,
    Observed,
    Setup,
    Stream,
)
from wm_core.kinematics import Kinematics
from wm_core.rig import Camera, CameraRig, looking_at
from wm_core.robot import load_robot
from wm_core.rotations import pose_of

PROFILES = yaml.safe_load(Path(__file__).with_name("_doctor_profiles.yaml").read_text())
SECONDS, BEGIN_NS = 10.0, 1_790_000_000 * 10**9
KEPT = 5  # images of a topic
CAMERAS = {
    "camera_left": ([0.50, 0.66, 0.64], [0.50, 0.02, 0.0]),
    "camera_right": ([0.56, -0.60, 0.70], [0.5, -0.02, 0.0]),
}
GRIPPER_RATE = 30.0


def healthy(profile: str, rng: np.random.Generator) -> Observed:
    """A record of ten seconds in which nothing is wrong; it may be changed at will."""
    how = PROFILES[profile]
    kinematics, cameras = _kinematics(how["robot"]), [_camera(profile, name) for name in CAMERAS]
    robot = kinematics.robot
    topics = tuple(
        CameraTopics(c.name, *(how[kind].format(camera=c.name) for kind in ("colour", "depth", "info")))
        for c in cameras
    )
    setup = Setup(
        kinematics,
        CameraRig(robot.table_frame, tuple(cameras)),
        topics,
        f"/{robot.joint_topic}",
        f"/{robot.controller_topic}",
        sync_tolerance=0.04,
        sync_timeout=0.1,
    )
    streams = {
        stream.topic: stream for c, t in zip(cameras, topics, strict=True) for stream in _images(profile, c, t, rng)
    }
    streams[setup.joint_topic] = _joints(kinematics, setup.joint_topic, how["joint_rate"], rng)
    state = Stream(setup.controller_state_topic, CONTROLLER_STATE)
    state.heard = _times(50.0, 0.001, rng)
    state.kept = [(state.heard[-1].stamp_ns, SimpleNamespace(joint_names=list(robot.joints)))]
    streams[state.topic] = state
    machine = Machine(
        8, rng.uniform(0.5, 8), rng.uniform(0.6e9, 8e9), rng.uniform(0.2, 0.9), ("performance",) * 8, True
    )
    end = BEGIN_NS + round(SECONDS * 1e9)
    return Observed(setup, BEGIN_NS, end, streams, _endpoints(setup, how), machine, {INTERPOLATES: True})


@cache
def _kinematics(robot: str) -> Kinematics:
    return Kinematics(load_robot(robot))


@cache
def _camera(profile: str, name: str) -> Camera:
    how, (position, target) = PROFILES[profile], map(np.array, CAMERAS[name])
    width, height = how["size"]
    focal = height / (2 * np.tan(np.radians(how["fov_y_deg"]) / 2))
    K = np.array([[focal, 0, width / 2 - 0.5], [0, focal, height / 2 - 0.5], [0, 0, 1]])
    return Camera(name, width, height, K, pose_of(looking_at(position, target), position), 0.15, 3.0)


@cache
def _table(profile: str, name: str) -> np.ndarray:
    """Depth (H, W) [m] of the table, seen through the lens of the profile."""
    camera, (_, D) = _camera(profile, name), PROFILES[profile]["distortion"]
    v, u = np.mgrid[0 : camera.height, 0 : camera.width]
    pixels = np.stack([u.ravel(), v.ravel()], 1).astype(float)[:, None]
    rays = np.c_[cv2.undistortPoints(pixels, camera.K, np.array(D))[:, 0], np.ones(pixels.shape[0])]
    down = -(rays @ camera.T_table_optical[2, :3])
    depth = np.where(down > 0.1, camera.T_table_optical[2, 3] / np.maximum(down, 0.1), 0.0)
    return np.where(depth < camera.far, depth, 0.0).reshape(camera.height, camera.width)


def _times(rate: float, latency: float, rng: np.random.Generator) -> list[Heard]:
    """Stamps of a rate, arrivals after a latency and a little more; images differ."""
    stamps = np.arange(rng.uniform(0, 1 / rate), SECONDS - latency - 0.02, 1 / rate)
    stamps += rng.uniform(-0.01, 0.01, len(stamps)) / rate
    late = latency * rng.uniform(0.9, 1.1) + rng.exponential(min(rng.uniform(0.001, 0.004), 0.05 / rate), len(stamps))
    arrivals = np.maximum.accumulate(stamps + late)
    digests = rng.integers(1, 2**62, len(stamps)).tolist()
    return [
        Heard(BEGIN_NS + round(1e9 * a), BEGIN_NS + round(1e9 * s), d)
        for a, s, d in zip(arrivals, stamps, digests, strict=True)
    ]


def _images(profile: str, camera: Camera, topics: CameraTopics, rng: np.random.Generator) -> list[Stream]:
    how = PROFILES[profile]
    colour_heard = _times(how["rate"], how["latency"], rng)
    apart, late = (
        round(rng.uniform(0, 2e6)),
        round(rng.uniform(3e6, 40e6)),
    )  # [ns]; depth may come a frame after its colour
    depth_heard = [Heard(h.arrival_ns + late, h.stamp_ns + apart, h.digest ^ 1) for h in colour_heard]
    model, D = how["distortion"]
    frame = how["frame"].format(camera=camera.name)
    P = np.c_[camera.K, np.zeros(3)]
    info = SimpleNamespace(
        header=SimpleNamespace(frame_id=frame),
        width=camera.width,
        height=camera.height,
        k=camera.K.ravel().copy(),
        p=P.ravel(),
        d=list(D),
        distortion_model=model,
        binning_x=0,
        binning_y=0,
        roi=SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0, do_rectify=False),
    )
    kept = np.linspace(0, len(colour_heard) - 1, KEPT).round().astype(int)
    colours, depths = Stream(topics.colour, IMAGE, colour_heard), Stream(topics.depth, IMAGE, depth_heard)
    for i in kept:
        picture, depth = _picture(camera, rng), _noisy(_table(profile, camera.name), rng)
        colours.kept.append(
            (colour_heard[i].stamp_ns, image(encoded(picture, how["encodings"][0]), how["encodings"][0], frame))
        )
        depths.kept.append(
            (depth_heard[i].stamp_ns, image(encoded(depth, how["encodings"][1]), how["encodings"][1], frame))
        )
    infos = Stream(topics.info, INFO, list(colour_heard), [(colour_heard[-1].stamp_ns, info)])
    return [colours, depths, infos]


def _picture(camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """RGB (H, W, 3) uint8 of a table and some objects on it."""
    small = np.full((45, 80, 3), [150, 140, 120], np.float32) * np.linspace(0.6, 1.2, 80)[None, :, None]
    for _ in range(4):
        v, u = rng.integers(5, 35), rng.integers(5, 70)
        small[v : v + 6, u : u + 8] = rng.uniform(20, 230, 3)
    whole = cv2.resize(small.astype(np.float32), (camera.width, camera.height), interpolation=cv2.INTER_LINEAR)
    noise = cv2.resize(rng.normal(0, 8, (120, 160, 1)).astype(np.float32), (camera.width, camera.height))[..., None]
    return np.clip(whole + noise, 0, 255).astype(np.uint8)


def _noisy(depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise that grows with the distance, and holes."""
    noise = np.resize(rng.normal(0, 0.0015, 40_009), depth.shape)
    holes = np.resize(rng.uniform(size=50_021) < 0.05, depth.shape)
    return np.where(holes, 0.0, np.maximum(0, depth + noise * depth**2 * (depth > 0)))


def encoded(pixels: np.ndarray, encoding: str) -> np.ndarray:
    """RGB uint8, or depth [m], as an encoding has it."""
    if encoding == "16UC1":
        return np.rint(1000 * pixels).astype(np.uint16)
    if encoding == "32FC1":
        return np.where(pixels > 0, pixels, np.nan).astype(np.float32)
    order = {"rgb8": [0, 1, 2], "bgr8": [2, 1, 0], "bgra8": [2, 1, 0, 0]}[encoding]
    return np.ascontiguousarray(pixels[..., order])


def image(pixels: np.ndarray, encoding: str, frame: str) -> Any:
    """An Image of `pixels` (H, W) or (H, W, channels)."""
    data = np.ascontiguousarray(pixels)
    return SimpleNamespace(
        header=SimpleNamespace(frame_id=frame),
        height=data.shape[0],
        width=data.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=data[0].nbytes,
        data=data.tobytes(),
    )


def _joints(kinematics: Kinematics, topic: str, rate: float, rng: np.random.Generator) -> Stream:
    """An arm that moves, on a rail that is no joint of the profile, and a gripper with stamps of its own on the same topic."""
    robot, heard = kinematics.robot, _times(rate, 0.001, rng)
    pace, size = rng.uniform(0.3, 1.0, len(robot.joints)), rng.uniform(0.05, 0.2, len(robot.joints))
    both = []
    for each in heard:
        t = (each.stamp_ns - BEGIN_NS) / 1e9
        q = np.clip(robot.home.joints + size * np.sin(pace * t), kinematics.lower, kinematics.upper)
        both.append((each, SimpleNamespace(name=[*robot.joints, "rail"], position=[*q.tolist(), 0.2], velocity=[])))
    if robot.gripper is not None:
        names = list(robot.gripper.joints)
        gripper = SimpleNamespace(name=names, position=[0.0] * len(names), velocity=[])
        both += [(each, gripper) for each in _times(GRIPPER_RATE, 0.004, rng)]
    both.sort(key=lambda pair: pair[0].arrival_ns)
    return Stream(topic, JOINTS, [each for each, _ in both], [(each.stamp_ns, message) for each, message in both])


def _endpoints(setup: Setup, how: dict[str, Any]) -> list[Endpoint]:
    found = []
    for camera in setup.cameras:
        node = how["node"].format(camera=camera.name)
        for topic, kind in ((camera.colour, IMAGE), (camera.depth, IMAGE), (camera.info, INFO)):
            found.append(Endpoint(topic, kind, node, True, how["reliable"]))
            found.append(Endpoint(topic, kind, "/wm_perception", False, False))
    found.append(Endpoint(setup.joint_topic, JOINTS, "/joint_state_broadcaster", True, False))
    if setup.robot.gripper is not None:
        found.append(Endpoint(setup.joint_topic, JOINTS, "/gripper_driver", True, True))
    found += [
        Endpoint(setup.joint_topic, JOINTS, f"/wm_{name}", False, False) for name in ("perception", "planner", "guard")
    ]
    controller = setup.controller_topic.rpartition("/")[0]
    found.append(Endpoint(setup.controller_topic, TRAJECTORY, "/wm_guard", True))
    found.append(Endpoint(setup.controller_topic, TRAJECTORY, controller, False))
    found.append(Endpoint(setup.controller_topic, TRAJECTORY, "/wm_recorder", False))
    found.append(Endpoint(setup.controller_state_topic, CONTROLLER_STATE, controller, True))
    # The guard asks for a driver's state as it is offered and latched, for some drivers latch it.
    state, kind = "/io_and_status_controller/robot_program_running", "std_msgs/msg/Bool"
    found.append(Endpoint(state, kind, "/io_and_status_controller", True, True))
    found += [Endpoint(state, kind, "/wm_guard", False, True, latched) for latched in (False, True)]
    found.append(Endpoint("/tf_static", "tf2_msgs/msg/TFMessage", "/robot_state_publisher", True, True, True))
    found.append(Endpoint("/tf_static", "tf2_msgs/msg/TFMessage", "/rviz", False, True, True))
    return found
