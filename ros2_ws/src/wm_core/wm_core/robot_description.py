"""A robot's URDF as all parts of wm use it: names with the profile's prefix, limits, the tool, meshes by absolute paths."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wm_core.paths import share
from wm_core.robot import RobotError, RobotProfile
from wm_core.rotations import parts_of, rpy_of

TOOL_DENSITY = 1500.0  # [kg/m^3] of a tool that is fixed to the arm
TOOL_COLOUR = "0.25 0.26 0.28 1"
MOVING = ("revolute", "prismatic")


def describe(profile: RobotProfile) -> str:
    """The URDF for a profile. Raises RobotError that names the file and what is wrong with it."""
    root, where = _read(profile)
    _limit(root, profile)
    if profile.tool.mount is not None:
        _mount(root, profile, where)
    _resolve_meshes(root, where)
    _weigh(root)
    return ElementTree.tostring(root, encoding="unicode")


def plain_limits(profile: RobotProfile) -> list[dict[str, float]]:
    """What the URDF itself says of the limits of each arm joint, by the names of its attributes."""
    root, _ = _read(profile)
    elements = {joint.get("name"): joint.find("limit") for joint in root.findall("joint")}
    found = (elements.get(name) for name in profile.joints)
    return [{} if limit is None else {key: _number(value) for key, value in limit.attrib.items()} for limit in found]


def joint_problems(description: str, joints: Sequence[str] | None = None) -> list[str]:
    """Why these joints of a URDF (None: all that have a range) cannot be commanded, each as a sentence; empty: they can."""
    elements = {joint.get("name"): joint for joint in ElementTree.fromstring(description).findall("joint")}
    problems = []
    for name in [name for name, joint in elements.items() if joint.get("type") in MOVING] if joints is None else joints:
        joint = elements.get(name)
        if joint is None:
            problems.append(f"joint '{name}': not in the URDF, which has {sorted(filter(None, elements))}")
        elif joint.get("type") == "continuous":
            problems.append(f"joint '{name}': is continuous; give it a range in limits.position")
        elif joint.get("type") not in MOVING:
            problems.append(f"joint '{name}': expected one that moves ({', '.join(MOVING)}), got {joint.get('type')}")
        else:
            problems += [f"joint '{name}': {problem}" for problem in _limit_problems(joint)]
    return problems


def _limit_problems(joint: ElementTree.Element) -> list[str]:
    limit = joint.find("limit")
    if limit is None:
        return ["has no limits; give limits.position, velocity and effort"]
    lower, upper, velocity, effort = (_number(limit.get(key, "0")) for key in ("lower", "upper", "velocity", "effort"))
    found = []
    if not -np.inf < lower < upper < np.inf:
        found.append(f"expected lower < upper, got {lower} and {upper}; give limits.position")
    if not 0 < velocity < np.inf:
        found.append(f"expected a velocity limit above 0, got {velocity}; give limits.velocity")
    if not 0 < effort < np.inf:
        found.append(f"expected an effort limit above 0, got {effort}; give limits.effort")
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _read(profile: RobotProfile) -> tuple[ElementTree.Element, Path | None]:
    """The parsed URDF with the profile's prefix, and the folder that its relative meshes start from."""
    folder: Path | None = None
    source, text = f"topic {profile.urdf_topic}", profile.urdf_text
    if not text:
        if not profile.urdf:
            raise RobotError(
                f"{profile.file}: urdf: expected a file, for it comes on the topic '{profile.urdf_topic}', which only nodes beside a"
                f" running robot hear; {how_to_write_down(profile)}"
            )
        path = resolve(profile.urdf, None)
        source, folder = str(path), path.parent
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise RobotError(f"{profile.file}: urdf: expected a URDF file, cannot read {path}: {error}") from error
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise RobotError(f"{source}: expected a URDF, got XML that cannot be read: {error}") from error
    if root.tag != "robot":
        raise RobotError(f"{source}: expected a URDF, whose root is <robot>, got <{root.tag}>; run xacro on it first?")
    if profile.prefix and profile.base_frame not in {link.get("name") for link in root.findall("link")}:
        _rename(root, profile.prefix)
    return root, folder


def how_to_write_down(profile: RobotProfile) -> str:
    """What to do once so that a description that comes on a topic is in a file, for all who read recordings too."""
    file = profile.file.with_name("robot.urdf")
    return (
        "write it down once, while the robot's driver runs: ros2 param get --hide-type robot_state_publisher robot_description >"
        f" {file}; and write urdf: {file.name} into the profile"
    )


def resolve(uri: str, folder: Path | None) -> Path:
    """The file of a `package://`, `file://` or plain path, the last relative to `folder`.

    What is not in an installed package may lie beside, as `folder`/PACKAGE/...: a robot's folder is then complete.
    """
    if uri.startswith("package://"):
        package, _, inside = uri.removeprefix("package://").partition("/")
        installed = share(package) / inside
        beside = installed if folder is None or installed.is_file() else folder / package / inside
        return beside if beside.is_file() else installed
    path = Path(uri.removeprefix("file://"))
    return path if path.is_absolute() or folder is None else folder / path


def _rename(root: ElementTree.Element, prefix: str) -> None:
    """Put the prefix before the names of all links and joints, and where they are referred to."""
    for part in [*root.findall("link"), *root.findall("joint")]:
        part.set("name", prefix + part.get("name", ""))
    for joint in root.findall("joint"):
        for tag, key in (("parent", "link"), ("child", "link"), ("mimic", "joint")):
            if (element := joint.find(tag)) is not None:
                element.set(key, prefix + element.get(key, ""))


def _limit(root: ElementTree.Element, profile: RobotProfile) -> None:
    """Write the profile's limits where they are tighter than the URDF's or the URDF has none."""
    limits = profile.limits
    elements = {joint.get("name"): joint for joint in root.findall("joint")}
    for i, joint in enumerate(elements.get(name) for name in profile.joints):
        if joint is None or all(given is None for given in (limits.position, limits.velocity, limits.effort)):
            continue
        limit = joint.find("limit")
        if limit is None:
            limit = ElementTree.SubElement(joint, "limit")
        if limits.position is not None:
            lower, upper = float(limits.position.lower[i]), float(limits.position.upper[i])
            own_lower, own_upper = _number(limit.get("lower", "0")), _number(limit.get("upper", "0"))
            if joint.get("type") != "continuous" and own_lower < own_upper:
                lower, upper = max(lower, own_lower), min(upper, own_upper)
            limit.set("lower", repr(lower))
            limit.set("upper", repr(upper))
            joint.set("type", "revolute" if joint.get("type") == "continuous" else joint.get("type", ""))
        for key, values in (("velocity", limits.velocity), ("effort", limits.effort)):
            if values is not None:
                given = _number(limit.get(key, "0"))
                limit.set(key, repr(float(min(given, values[i]) if given > 0 else values[i])))


def _mount(root: ElementTree.Element, profile: RobotProfile, folder: Path | None) -> None:
    """Fix the profile's tool to the arm: a link with its boxes to see and to touch with."""
    tool, mount = profile.tool, profile.tool.mount
    assert mount is not None
    links = {link.get("name", "") for link in root.findall("link")}
    if mount.link not in links:
        raise RobotError(
            f"{profile.file}: tool.mount.link: '{mount.link}' is not in the URDF, which has {sorted(links)}"
        )
    if tool.link in links:
        raise RobotError(f"{profile.file}: tool.link: '{tool.link}' is in the URDF already; leave out tool.mount")
    link = ElementTree.SubElement(root, "link", name=tool.link)
    volumes = [float(np.prod(box.size)) for box in tool.boxes]
    mass = TOOL_DENSITY * sum(volumes)
    inertial = ElementTree.SubElement(link, "inertial")
    middle = np.average([box.position for box in tool.boxes], axis=0, weights=volumes)
    ElementTree.SubElement(inertial, "origin", xyz=_numbers(middle))
    ElementTree.SubElement(inertial, "mass", value=f"{mass:.4f}")
    moment = f"{mass * 0.05**2:.6f}"  # as of a body a few centimetres large; fixed, so that it hardly matters
    axes = {f"i{a}{b}": moment if a == b else "0" for a, b in ("xx", "xy", "xz", "yy", "yz", "zz")}
    ElementTree.SubElement(inertial, "inertia", axes)
    for kind in ("visual", "collision"):
        for box in tool.boxes:
            part = ElementTree.SubElement(link, kind)
            ElementTree.SubElement(part, "origin", xyz=_numbers(box.position))
            geometry = ElementTree.SubElement(part, "geometry")
            ElementTree.SubElement(geometry, "box", size=_numbers(box.size))
            if kind == "visual":
                material = ElementTree.SubElement(part, "material", name=f"{tool.link}_colour")
                ElementTree.SubElement(material, "color", rgba=TOOL_COLOUR)
    joint = ElementTree.SubElement(root, "joint", name=f"{tool.link}_joint", type="fixed")
    rotation, position = parts_of(mount.pose)
    ElementTree.SubElement(joint, "origin", xyz=_numbers(position), rpy=_numbers(rpy_of(rotation)))
    ElementTree.SubElement(joint, "parent", link=mount.link)
    ElementTree.SubElement(joint, "child", link=tool.link)


def _numbers(values: Sequence[float] | np.ndarray) -> str:
    return " ".join(repr(float(value)) for value in values)


def _resolve_meshes(root: ElementTree.Element, folder: Path | None) -> None:
    for mesh in root.iter("mesh"):
        mesh.set("filename", str(resolve(mesh.get("filename", ""), folder)))


def _weigh(root: ElementTree.Element) -> None:
    """Give a gram to links that only name a frame: simulators take what has no mass for a kilogram."""
    for link in root.findall("link"):
        if link.find("inertial") is None:
            inertial = ElementTree.SubElement(link, "inertial")
            ElementTree.SubElement(inertial, "mass", value="0.001")
            axes = {f"i{a}{b}": "1e-6" if a == b else "0" for a, b in ("xx", "xy", "xz", "yy", "yz", "zz")}
            ElementTree.SubElement(inertial, "inertia", axes)
