"""Proposes a profile for a bag from its topics' types and usual names; comments say what it is not sure of."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from wm_bags.steps.profile import SOURCES
from wm_bags.steps.roles import IMAGES
from wm_bags.storage.reading import Bag, Topic
from wm_core.paths import rigs_dir
from wm_core.rig import CameraRig
from wm_core.robot import DEFAULT_ROBOT

NOT_SURE = "not sure"
_DEPTH = re.compile(r"depth|range|disparity|z16", re.IGNORECASE)
_NO_COLOUR = re.compile(r"depth|infra|/ir|mask|segment|heat|debug|marker|imagined|thermal", re.IGNORECASE)
_COLOUR = re.compile(r"colou?r|rgb|image", re.IGNORECASE)
_TOOL = re.compile(r"target|command|desired|goal|ee|tcp|tool|servo", re.IGNORECASE)
_OBJECT = re.compile(r"object|ground_truth|block|cube", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)\D*$")


def propose(bag: Bag, robots: Mapping[str, Sequence[str]]) -> str:
    """The text of a profile (YAML); `robots`: joints of those that it may be, by name, DEFAULT_ROBOT among them."""
    topics = [topic for topic in bag.topics.values() if topic.messages and not bag.problem_of(topic.name)]
    cameras, notes = _cameras(topics)
    lines = [
        f"# Proposed for {bag.path.name}. Look at the lines that say '{NOT_SURE}'; then: ./wm bag check BAG --profile FILE",
        "schema: 1",
        *_rig(list(cameras)),
        "intrinsics: camera_info  # of the bag; rig: those of the rig file, with which they must agree",
        "depth_unit: 0.001  # [m] of depth in 16UC1; depth_unit of a camera in the rig goes for any encoding",
        "cameras:",
    ]
    for name, (color, depth, info) in cameras.items():
        lines.append(f"  {name}:")
        lines += [_line(f"    {key}", *value) for key, value in (("color", color), ("depth", depth), ("info", info))]
    lines += [f"  # {note}" for note in notes]
    lines += _joints(bag, topics, robots) + _motion(topics)
    truth = [t.name for t in topics if t.type == "geometry_msgs/msg/PoseStamped" and _OBJECT.search(t.name)]
    lines.append(
        _line("object", truth[0] if truth else "null", "" if truth else "no labels: finetune makes them from depth")
    )
    announced = [topic.name for topic in topics if topic.type == "wm_msgs/msg/Episode"]
    without = "nothing announces episodes: the bag is one, and ends where it is cut"
    lines.append(_line("episodes", announced[0] if announced else "null", "" if announced else without))
    return "\n".join(lines) + "\n"


def _line(key: str, value: str, note: str = "") -> str:
    return f"{key}: {value}" + (f"  # {note}" if note else "")


Choice = tuple[str, str]  # topic and note


def _cameras(topics: list[Topic]) -> tuple[dict[str, tuple[Choice, Choice, Choice]], list[str]]:
    """Colour, depth and info by camera, and what was left out."""
    images = {topic.name: topic for topic in topics if topic.type in IMAGES}
    infos = {topic.name for topic in topics if topic.type == "sensor_msgs/msg/CameraInfo"}
    cameras: dict[str, tuple[Choice, Choice, Choice]] = {}
    notes: list[str] = []
    for color in sorted(images, key=lambda name: (name.endswith("/compressed"), name)):
        if _NO_COLOUR.search(color) or not _COLOUR.search(color):
            continue
        base = color.removesuffix("/compressed")
        parent = str(PurePosixPath(base).parent)
        root = str(PurePosixPath(parent).parent) if re.search(r"/(colou?r|rgb|image)$", parent) else parent
        name = re.sub(r"\W+", "_", root.strip("/")).lower() or "camera"
        if name in cameras:
            if base != cameras[name][0][0].removesuffix("/compressed"):
                notes.append(f"left out: {color}, another colour image of {name}")
            continue
        depth = _depth_of(root, images)
        if depth is None:
            notes.append(f"left out: {color}, which no depth belongs to")
            continue
        info = f"{parent}/camera_info"
        found = info if info in infos else next((each for each in sorted(infos) if each.startswith(root)), info)
        sure = "" if found in infos and found == info else f"{NOT_SURE} that these are the colour camera's"
        cameras[name] = (color, ""), depth, (found, sure)
    if not cameras:
        unknown = (
            ("/CAMERA/color/image_raw", NOT_SURE),
            ("/CAMERA/depth/image_raw", NOT_SURE),
            ("/CAMERA/camera_info", NOT_SURE),
        )
        cameras["camera"] = unknown
    return cameras, notes


def _depth_of(root: str, images: dict[str, Topic]) -> Choice | None:
    """The depth image that is most likely aligned to the colour image of a camera."""
    own = [name for name in images if name.startswith(f"{root}/") and _DEPTH.search(name)]
    for pattern, note in (
        (r"aligned_depth_to_colou?r", ""),
        (r"depth_registered|depth_to_rgb|hw_registered|registered", ""),
        (r"", f"{NOT_SURE} that it is aligned to colour: switch that on in the driver (align_depth.enable)"),
    ):
        found = sorted(
            (name for name in own if re.search(pattern, name)), key=lambda name: ("compressed" in name, name)
        )
        if found:
            return found[0], note
    return None


def _rig(names: list[str]) -> list[str]:
    for file in sorted(rigs_dir().glob("*.yaml")):
        if set(names) <= {camera.name for camera in CameraRig.load(file).cameras}:
            return [f"rig: {file.stem}"]
    return [
        f"rig: rig.yaml  # {NOT_SURE}: a file with the poses of {', '.join(names)}, like sim_worlds/rigs/two_cameras.yaml"
    ]


def _joints(bag: Bag, topics: list[Topic], robots: Mapping[str, Sequence[str]]) -> list[str]:
    """The robot, and where its joints are."""
    states = sorted(
        (t.name for t in topics if t.type == "sensor_msgs/msg/JointState"), key=lambda name: (_depthless(name), name)
    )
    if not states:
        unknown = f"{NOT_SURE}: the bag has no sensor_msgs/JointState"
        return [_line("robot", DEFAULT_ROBOT, unknown), "joints:", _line("  topic", "/joint_states", unknown)]
    others = f"others: {', '.join(states[1:])}" if states[1:] else ""
    lines = ["joints:", _line("  topic", states[0], others), "  unit: rad"]
    names = next((list(bag.deserialize(message).name) for message in bag.messages(states[:1])), [])
    if found := sorted(_robots(names, robots), key=lambda each: (len(each[0]), -len(robots[each[1]]), each)):
        prefix, robot = found[0]
        alike = [f"{own} with {start or 'no prefix'}" for start, own in found[1:] if own == robot or start == prefix]
        lines.insert(0, _line("robot", robot, f"{NOT_SURE}: or {', '.join(alike)}" if alike else ""))
        return lines + (["  names:", *(f"    {own}: {prefix}{own}" for own in robots[robot])] if prefix else [])
    known = f"{NOT_SURE}: the bag's joints are not those of {', '.join(robots)}; make a profile with ./wm robot new"
    lines.insert(0, _line("robot", DEFAULT_ROBOT, known))
    numbered = [name for name in names if _NUMBER.search(name) and not re.search(r"finger|gripper", name)]
    numbered.sort(key=lambda name: int(_NUMBER.search(name)[1]))  # type: ignore[index]
    lines.append(f"  names:  # {NOT_SURE}: the robot's joint: the bag's, out of {json.dumps(names)}")
    return lines + [f"    {own}: {other}" for own, other in zip(robots[DEFAULT_ROBOT], numbered, strict=False)]


def _robots(names: Sequence[str], robots: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Robots all of whose joints are in `names`, after what these put before each."""
    for robot, joints in robots.items():
        for prefix in (name.removesuffix(joints[0]) for name in names if name.endswith(joints[0])):
            if {prefix + joint for joint in joints} <= set(names):
                yield prefix, robot


def _depthless(name: str) -> int:
    """Joint states of a single robot come first, those of its parts and commands last."""
    return name.count("/") + 5 * bool(_TOOL.search(name))


def _motion(topics: list[Topic]) -> list[str]:
    kinds = {
        "executed": lambda t: t.type == "wm_msgs/msg/Command" and t.name.endswith("executed"),
        "joint_trajectory": lambda t: t.type == "trajectory_msgs/msg/JointTrajectory",
        "joint_positions": lambda t: (
            t.type.endswith(("/JointTrajectoryControllerState",))
            or (t.type == "std_msgs/msg/Float64MultiArray" and t.name.endswith("commands"))
            or (t.type == "sensor_msgs/msg/JointState" and bool(_TOOL.search(t.name)))
        ),
        "tool_pose": lambda t: (
            t.type == "geometry_msgs/msg/PoseStamped" and bool(_TOOL.search(t.name)) and not _OBJECT.search(t.name)
        ),
    }
    for source, fits in kinds.items():
        found = sorted(topic.name for topic in topics if fits(topic))
        if found:
            others = f"; others: {', '.join(found[1:])}" if found[1:] else ""
            note = SOURCES[source] + others + ("" if source == "executed" else f"; {NOT_SURE}")
            return ["motion:", _line("  source", source, note), f"  topic: {found[0]}"]
    return ["motion:", _line("  source", "measured", f"{NOT_SURE}: no commands found, {SOURCES['measured']}")]
