"""Bags of episodes with one small camera: sound ones, and ones in which messages have other fields or are missing."""

from dataclasses import replace

import numpy as np

from wm_bags.steps.frames import Frame, Step
from wm_bags.steps.profile import Profile
from wm_bags.steps.strict import strict_steps
from wm_bags.storage.definitions import definition_of
from wm_bags.storage.metadata import Topic
from wm_bags.storage.writer import BagWriter
from wm_core.bags import typestore
from wm_core.kinematics import Kinematics
from wm_core.robot import load_robot
from wm_data.episode_bag import EpisodeWriter

STEP = 10**8
COLOUR = "camera_left/color/image_raw"
DEPTH = "camera_left/aligned_depth_to_color/image_raw"
INFO = "camera_left/color/camera_info"
NAN, INF = float("nan"), float("inf")
JOINTS = tuple(f"panda_joint{i}" for i in range(1, 8))
HOME = np.array([0, -0.3, 0, -2.2, 0, 2, 0.8])
KINEMATICS = Kinematics(load_robot())
OWN = Profile.default()  # but the bags here have one small camera with intrinsics of its own
PROFILE = replace(OWN, cameras={"camera_left": OWN.cameras["camera_left"]}, intrinsics="camera_info")


def read_steps(path, video=False):
    """As a dataset reads it, but the tool may move as far as it likes in a step."""
    return strict_steps(path, PROFILE.as_video() if video else PROFILE, KINEMATICS, reach=float("inf"))


def place(seed: int) -> np.ndarray:
    """Where the tool is when a step begins, and where it was sent in the one before."""
    return np.random.default_rng(1000 + seed).normal(size=2)


def make_step(stamp_ns: int, seed: int) -> Step:
    rng = np.random.default_rng(seed)
    frame = Frame(
        rng.integers(0, 255, (8, 6, 3), dtype=np.uint8),
        (rng.integers(0, 2000, (8, 6)) / 1000).astype(np.float32),
        np.array([[100.0, 0, 3], [0, 100, 4], [0, 0, 1]]),
    )
    return Step(
        stamp_ns,
        {"camera_left": frame},
        JOINTS,
        HOME + 0.1 * rng.normal(size=7),
        place(seed),
        place(seed + 1),
        np.array([*rng.normal(size=3), 0, 0, 0.6, 0.8]),
    )


class Faulty(EpisodeWriter):
    """Writes a bag in which messages of one topic from `since_ns` on have other fields, or are missing."""

    def __init__(self, path, topic, changes, since_ns=3 * STEP, **options):
        super().__init__(path, ("camera_left",), **options)
        self.fault = (topic, changes, since_ns)

    def _write(self, topic, stamp_ns, **fields):
        target, changes, since_ns = self.fault
        if topic == target and stamp_ns >= since_ns:
            if changes is None:
                return
            fields |= {name: change(fields[name]) for name, change in changes.items()}
        super()._write(topic, stamp_ns, **fields)


def record(writer, stamps):
    """One episode with steps at `stamps` [ns]."""
    writer.begin(0, "tabletop_block", 7)
    for i, stamp_ns in enumerate(stamps):
        writer.step(make_step(stamp_ns, i))
    return writer.close()


def always(value):
    return lambda _: value


def bag_of_robot(path, robot):
    """A bag that says with which robot it was recorded, and nothing else."""
    types, none = typestore(), np.zeros(0)
    kind, make = "rcl_interfaces/msg/ParameterEvent", types.types
    value = make["rcl_interfaces/msg/ParameterValue"](
        4, False, 0, 0.0, robot, none.astype("u1"), none.astype(bool), none.astype(int), none, []
    )
    said = [make["rcl_interfaces/msg/Parameter"]("robot", value)]
    event = make[kind](make["builtin_interfaces/msg/Time"](1, 0), "/wm_perception", said, [], [])
    writer = BagWriter(path)
    writer.add_topic(Topic("/wm/parameters", definition_of(kind)))
    writer.write("/wm/parameters", types.serialize_cdr(event, kind), STEP, STEP)
    writer.close()
    return path
