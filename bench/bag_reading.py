"""How fast bags are read and made into datasets, beside reading them with `rosbags` alone (every message deserialised).

Bags: some that `wm collect` makes (two cameras of 128 x 128 pixels at 10 Hz), and a robot's (640 x 480 colour and depth at 30 Hz,
joint states at 500 Hz) in every storage. Each column is CPU time, the best of some repetitions taken in
turns in one run.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _common import FIRST_TEST_SEED, recorded, result_options, table, write_json
from _results import Line
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from wm_bags.steps.check import BagCheck
from wm_bags.steps.profile import Profile
from wm_bags.storage.reading import Bag
from wm_core.bags import typestore
from wm_core.kinematics import Kinematics
from wm_core.robot import load_robot
from wm_data.collect import Batch, collect_bag
from wm_data.dataset_build import Reading, build_dataset

TOOL_DOWN, TOOL_HEIGHT = load_robot().tool.rotation, load_robot().tool.height

WIDTH, HEIGHT = 640, 480
STORAGES = {
    "MCAP": ("MCAP", None),
    "MCAP, zstd chunks": ("MCAP", CompressionMode.STORAGE),
    "MCAP, zstd messages": ("MCAP", CompressionMode.MESSAGE),
    "sqlite3": ("SQLITE3", None),
    "sqlite3, zstd messages": ("SQLITE3", CompressionMode.MESSAGE),
}


def robot_bag(path: Path, seconds: float, storage: str, compression: CompressionMode | None) -> Path:
    """A robot's recording."""
    store, kinematics = typestore(), Kinematics(load_robot())
    home = np.array([0, -0.3, 0, -2.2, 0, 2, 0.8])
    near, far = (kinematics.ik(np.array([x, 0.0, TOOL_HEIGHT]), TOOL_DOWN, home) for x in (0.4, 0.5))
    rng = np.random.default_rng(0)
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH]
    texture = ((u * 3 + v * 5) % 251).astype(np.uint8)[..., None] + rng.integers(0, 8, (HEIGHT, WIDTH, 3), np.uint8)
    writer = Writer(path, version=9, storage_plugin=StoragePlugin[storage])
    if compression:
        writer.set_compression(compression, CompressionFormat.ZSTD)

    def message(kind: str, **fields):
        return store.types[kind](**fields)

    def header(ns: int):
        stamp = message("builtin_interfaces/msg/Time", sec=ns // 10**9, nanosec=ns % 10**9)
        return message("std_msgs/msg/Header", stamp=stamp, frame_id="camera")

    def image(ns: int, encoding: str, data: np.ndarray, step: int):
        kind = "sensor_msgs/msg/Image"
        fields = {"height": HEIGHT, "width": WIDTH, "encoding": encoding, "is_bigendian": 0, "step": step}
        return message(kind, header=header(ns), data=data.reshape(-1).view(np.uint8), **fields)

    with writer:
        kinds = {
            "/cam/color/image_raw": "sensor_msgs/msg/Image",
            "/cam/aligned_depth_to_color/image_raw": "sensor_msgs/msg/Image",
            "/cam/color/camera_info": "sensor_msgs/msg/CameraInfo",
            "/joint_states": "sensor_msgs/msg/JointState",
        }
        connections = {topic: writer.add_connection(topic, kind, typestore=store) for topic, kind in kinds.items()}

        def write(topic: str, ns: int, content) -> None:
            writer.write(connections[topic], ns, store.serialize_cdr(content, kinds[topic]))

        K = np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]])
        roi = message("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        for i in range(round(500 * seconds)):
            ns = i * 2_000_000
            q = near + (0.5 - 0.5 * np.cos(i / 500)) * (far - near)
            names = list(kinematics.joint_names)
            state = {"name": names, "position": q, "velocity": np.zeros(7), "effort": np.zeros(7)}
            write("/joint_states", ns, message("sensor_msgs/msg/JointState", header=header(ns), **state))
            if i * 30 // 500 == (i - 1) * 30 // 500 and i:
                continue
            colour = np.roll(texture, i, 1)
            block = (abs(u - 200 - i % 200) < 25) & (abs(v - 240) < 25)  # 5 cm high on a table 0.9 m away
            depth = np.where(block, 850, 900 + rng.integers(-2, 3, u.shape)).astype("<u2")
            write("/cam/color/image_raw", ns, image(ns, "rgb8", colour, 3 * WIDTH))
            write("/cam/aligned_depth_to_color/image_raw", ns, image(ns, "16UC1", depth, 2 * WIDTH))
            lens = {"height": HEIGHT, "width": WIDTH, "distortion_model": "plumb_bob", "d": np.zeros(5), "k": K.ravel()}
            lens |= {"r": np.eye(3).ravel(), "p": np.zeros(12), "binning_x": 0, "binning_y": 0, "roi": roi}
            write("/cam/color/camera_info", ns, message("sensor_msgs/msg/CameraInfo", header=header(ns), **lens))
    return path


def robot_profile(folder: Path) -> Path:
    (folder / "rig.yaml").write_text(
        "frame_id: table\ncameras:\n  - {name: cam, width: 640, height: 480, fov_y_deg: 43.6, position: [0.5, 0, 0.9],"
        " look_at: [0.501, 0, 0]}\n"
    )
    file = folder / "robot.yaml"
    file.write_text(
        "schema: 1\nrig: rig.yaml\ncameras:\n  cam: {color: /cam/color/image_raw, depth: /cam/aligned_depth_to_color/image_raw,"
        " info: /cam/color/camera_info}\njoints: {topic: /joint_states}\nmotion: {source: measured}\n"
    )
    return file


def read_with_rosbags(bag: Path) -> None:
    with AnyReader([bag], default_typestore=typestore()) as reader:
        for connection, _, data in reader.messages():
            reader.deserialize(data, connection.msgtype)


def read_with_wm(bag: Path) -> None:
    with Bag(bag) as opened:
        for message in opened.messages():
            opened.deserialize(message)


def make_steps(bag: Path, profile: Profile) -> None:
    with Bag(bag) as opened:
        for _ in BagCheck(bag, profile).steps_of(opened, Kinematics(load_robot())):
            pass


def best(repeats: int, jobs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """CPU seconds of each job, of all its processes: the best of some turns. (Wall-clock time says more of what else runs.)"""
    seconds = dict.fromkeys(jobs, float("inf"))
    for _ in range(repeats):
        for name, job in jobs.items():
            began = cpu_s()
            job()
            seconds[name] = min(seconds[name], cpu_s() - began)
    return seconds


def cpu_s() -> float:
    """CPU seconds of this process and its ended children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def tables(lines: list[Line]) -> str:
    """The newest run."""
    rows = []
    for title, found in lines[-1]["result"].items():
        base = found["seconds"]["rosbags"]
        cells = [f"{value:.2f} ({value / base:.2f})" for value in found["seconds"].values()]
        rows.append((title, f"{found['bytes'] / 1e6:.0f}", *cells))
    header = ("bag", "MB", "rosbags [s] (ratio)", "wm, all messages", "steps (arrays)", "dataset (maps, report)")
    return table(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the robot's bags")
    parser.add_argument("--episodes", type=int, default=10, help="episodes of the collected bag")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, default=None, help="also write the figures to this file")
    result_options(parser)
    args = parser.parse_args()
    results, report = recorded("bag_reading", args, "seconds", "episodes", "repeats", robot=False), {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profile = robot_profile(folder)
        bags: dict[str, tuple[Path, Path | None]] = {
            "wm collect (MCAP, zstd chunks)": (
                collect_bag(Batch("tabletop_block", FIRST_TEST_SEED, args.episodes, 50, folder / "collected")),
                None,
            )
        }
        for title, (storage, compression) in STORAGES.items():
            bag = robot_bag(folder / f"robot{len(bags)}", args.seconds, storage, compression)
            bags[f"robot ({title})"] = bag, profile
        for title, (bag, file) in bags.items():
            topics = Profile.load(file) if file else Profile.default()
            jobs: dict[str, Callable[[], object]] = {
                "rosbags": lambda bag=bag: read_with_rosbags(bag),
                "wm, all messages": lambda bag=bag: read_with_wm(bag),
                "steps": lambda bag=bag, topics=topics: make_steps(bag, topics),
                "dataset": lambda bag=bag, file=file: build_dataset([bag], folder / "out", 1, Reading(file)),
            }
            size = sum(each.stat().st_size for each in bag.iterdir())
            report[title] = {"bytes": size, "seconds": best(args.repeats, jobs)}
    print(tables([results.add(report)]))
    write_json(args.json, report)


if __name__ == "__main__":
    main()
