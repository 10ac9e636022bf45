"""Robots that are other robots in a way that must not matter, made from a profile: nothing may lean on a name or on the base's pose."""

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from wm_core.robot import load_robot
from wm_core.robot_description import resolve

TURNED = "+turned"  # after a robot's name: the variant of `turned`


def turned(name: str, folder: Path) -> Path:
    """A robot with every link and joint renamed, its base turned by 90 degrees about the vertical; returns its profile's folder.

    For arms whose first joint turns about the vertical: its home turns back, so that the arm stands as before.
    """
    robot = load_robot(name)
    source = resolve(robot.urdf, robot.file.parent)
    root = ElementTree.parse(source).getroot()
    links, joints = (
        {element.get("name", ""): f"{tag}_of_{i}" for i, element in enumerate(root.findall(tag))}
        for tag in ("link", "joint")
    )
    for tag, names in (("link", links), ("joint", joints)):
        for element in root.findall(tag):
            element.set("name", names[element.get("name", "")])
    for joint in root.findall("joint"):
        for tag, key, names in (("parent", "link", links), ("child", "link", links), ("mimic", "joint", joints)):
            if (element := joint.find(tag)) is not None:
                element.set(key, names[element.get(key, "")])
    for mesh in root.iter("mesh"):
        mesh.set("filename", str(resolve(mesh.get("filename", ""), source.parent)))
    folder.mkdir(parents=True)
    (folder / "robot.urdf").write_text(ElementTree.tostring(root, encoding="unicode"))
    data = _renamed(yaml.safe_load(robot.file.read_text()), links, joints)
    data["name"], data["urdf"] = f"{robot.name}_turned", "robot.urdf"
    data["base"]["rpy_deg"][2] += 90
    data["home"]["joints"][0] -= math.pi / 2
    (folder / "profile.yaml").write_text(yaml.safe_dump(data))
    return folder


def _renamed(value: Any, links: Mapping[str, str], joints: Mapping[str, str]) -> Any:
    """A profile with other names: of joints in lists named so, of links elsewhere."""
    if isinstance(value, dict):
        return {key: _renamed(each, joints if key == "joints" else links, joints) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, links, joints) for each in value]
    return links.get(value, value) if isinstance(value, str) else value
