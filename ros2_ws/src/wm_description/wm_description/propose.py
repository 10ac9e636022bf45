"""Proposes a profile for an arm's URDF: its joints, a tool, a home and the reach, found by trying."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from wm_core.atomic import new_folder
from wm_core.kinematics import CAUTIOUS_ACCELERATION, CAUTIOUS_JERK, Kinematics, KinematicsError
from wm_core.robot import PROFILE, RobotError, load_robot
from wm_core.robot_schema import SCHEMA
from wm_description.arm import Chain, Tree, find_arm
from wm_description.check import Findings, check_robot
from wm_description.collisions import Collisions
from wm_description.fingers import gripper_tool
from wm_description.light import light_copy
from wm_description.reach import home_joints, spread

PUSHER = 0.16  # [m] from the flange to the tip
HEIGHT = 0.027  # [m] of the tip above the table
# The Panda's closed fingers, and a rod that ends as high as its palm: what was learned with them holds.
FINGER = {"position": [0.0, 0.0, -0.0185], "size": [0.02, 0.03, 0.053]}
ROD = {"position": [0.0, 0.0, -0.0987], "size": [0.04, 0.04, 0.1226]}
NAME = SCHEMA["properties"]["name"]["pattern"]
PICTURE = "picture.png"
FULL_TURN = [-3.14, 3.14]  # [rad] for joints whose URDF gives no range
SPEED, EFFORT = 1.0, 50.0  # [rad/s], [N m] for joints whose URDF gives none
PLACES = (0.3, 0.4, 0.5, 0.6)  # [m] before the base, where a home is looked for
STARTS = 60  # random joints for each
GRID = 0.04  # [m] of the places that are tried for the reach
NEAREST, FARTHEST, WIDEST = 0.16, 1.0, 0.4  # [m] before the base, and to the side
DEEPEST = 0.48  # [m] of the box in x: as deep as a table that cameras see


@dataclass(frozen=True)
class Proposal:
    """`notes`: what a person should look at; `found`: what is still wrong with it, without errors there is a picture."""

    notes: list[str]
    found: Findings


def new_robot(urdf: Path, out: Path, name: str) -> Proposal:
    """Make the folder `out`: light copies of URDF and meshes, a proposed profile, and a picture of what can be used.

    It appears when all of that is done, or not at all. Raises RobotError for a folder with something in it and for a URDF without
    an arm, MeshError for meshes that cannot be read, OSError.
    """
    if not re.fullmatch(NAME, name):
        raise RobotError(f"expected a name that matches {NAME}, got '{name}'; choose another with --name")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise RobotError(f"expected a new folder, {out} exists and is not empty; choose another with --out")
    with new_folder(out) as work:
        try:
            notes = _write_robot(urdf, work, name)
        except (RobotError, KinematicsError) as error:  # the folder that it names is gone when it is read
            raise type(error)(str(error).replace(str(work), str(out))) from error
        found = check_robot(work)
        for lines in (found.errors, found.warnings):
            lines[:] = [line.replace(str(work), str(out)) for line in lines]
        if not found.errors:
            from wm_description.picture import save_picture  # PyBullet takes a while

            kinematics = Kinematics(load_robot(work))
            save_picture(kinematics, home_joints(kinematics), work / PICTURE)
    return Proposal(notes, found)


def _write_robot(urdf: Path, out: Path, name: str) -> list[str]:
    """Write URDF, meshes and profile; returns what a person should look at."""
    light_copy(urdf, out / f"{name}.urdf")
    root = ElementTree.parse(out / f"{name}.urdf").getroot()
    arm = find_arm(root)
    data = _draft(root, arm, name)
    write_profile(data, out / PROFILE)
    carries = "a pusher"
    hints: list[str] = []
    if hand := gripper_tool(Kinematics(load_robot(out / PROFILE))):
        data["tool"] |= hand.tool | {"link": "tip"}
        data["mask"][-1]["links"] = ["tip"]
        data["description"] = f"{root.get('name', name)} with its gripper"
        carries, hints = "its closed gripper", hand.notes
        if hand.gripper:
            data["gripper"] = hand.gripper
    notes = [f"the arm is {' '.join(arm.joints)}, from '{arm.base}' to '{arm.flange}', and pushes with {carries}"]
    notes += hints
    notes += [f"limits.{key}: made up where the URDF gives none" for key in data.get("limits", {})]
    write_profile(data, out / PROFILE)
    return notes + _place(data, out / PROFILE)


def _draft(root: ElementTree.Element, arm: Chain, name: str) -> dict[str, Any]:
    """A profile that can be loaded; home and reach are put in later."""
    tree = Tree(root)
    first = next(joint for joint in tree.joints if joint.name == arm.joints[0])
    behind = {first.child, *(joint.child for joint in tree.behind(first.child))}
    seen = [link.get("name") for link in root.findall("link") if link.find("visual") is not None]
    moving = [name for name in seen if name in behind]
    data: dict[str, Any] = {
        "name": name,
        "description": f"{root.get('name', name)} with a pusher",
        "urdf": f"{name}.urdf",
        "joints": list(arm.joints),
        "base": {"frame": arm.base, "position": [0.0, 0.0, 0.0], "rpy_deg": [0, 0, 0]},
        "tool": {
            "link": "pusher",
            "mount": {"link": arm.flange, "position": [0.0, 0.0, PUSHER], "rpy_deg": [0, 0, 0]},
            "rpy_deg": [180, 0, 0],
            "height": HEIGHT,
            "boxes": [FINGER, ROD],
        },
        "home": {"joints": [0.0] * len(arm.joints), "tool": [0.4, 0.0]},
        "reach": {"x": [NEAREST, FARTHEST], "y": [-WIDEST, WIDEST], "z": [HEIGHT, HEIGHT], "yaw_deg": [0, 0]},
        "workspace": {"x": [0.0, FARTHEST], "y": [-WIDEST, WIDEST], "z": [0.005, 0.8]},
        "tool_speed": 0.25,
        "mask": [
            *([{"links": moving, "margin": 0.008}] if moving else []),
            {"links": ["pusher"], "margin": 0.003},
        ],
    }
    cautious = {"acceleration": CAUTIOUS_ACCELERATION, "jerk": CAUTIOUS_JERK}  # no URDF says these
    data["limits"] = _missing_limits(tree, arm.joints) | {
        key: [each] * len(arm.joints) for key, each in cautious.items()
    }
    return data


def _missing_limits(tree: Tree, joints: tuple[str, ...]) -> dict[str, list]:
    """Limits for all joints where the URDF lacks any of a kind."""
    elements = {joint.name: joint for joint in tree.joints}
    limits: dict[str, list] = {"position": [], "velocity": [], "effort": []}
    missing = set()
    for joint in (elements[name] for name in joints):
        bounded = joint.kind != "continuous" and joint.lower < joint.upper
        limits["position"].append([joint.lower, joint.upper] if bounded else FULL_TURN)
        limits["velocity"].append(joint.velocity or SPEED)
        limits["effort"].append(joint.effort or EFFORT)
        lacking = {"position": bounded, "velocity": joint.velocity > 0, "effort": joint.effort > 0}
        missing |= {key for key, there in lacking.items() if not there}
    return {key: values for key, values in limits.items() if key in missing}


@dataclass(frozen=True)
class _Trial:
    """A home from which a box of places is reached: lower and upper x and half the width in y [m]."""

    kinematics: Kinematics
    turn: int  # [degrees] of the tool about its axis
    q: np.ndarray
    low: float
    high: float
    half: float

    @property
    def area(self) -> float:
        return (self.high - self.low) * self.half


def _place(data: dict[str, Any], file: Path) -> list[str]:
    """Find home and reach of a draft and write them into it; says so where there are none."""
    trials = []
    for turn in (0, 180):  # about its axis: a pusher looks the same, and the last joint may be away from its limits
        data["tool"]["mount"]["rpy_deg"] = [0, 0, turn]
        write_profile(data, file)
        kinematics = Kinematics(load_robot(file))
        collisions = Collisions(kinematics)
        for x, q in _homes(kinematics, collisions):
            trials.append(_Trial(kinematics, turn, q, *_widest_box(kinematics, collisions, x, q)))
    best = max(trials, key=lambda trial: trial.area, default=None)
    if best is None or not best.area:
        return [
            "home, reach: found no place where the tool points down at the table; raise or move the base, or turn the tool"
        ]
    low, high, half = best.low, best.high, best.half
    start, tool = round(low + GRID, 2), best.kinematics.robot.tool
    home = best.kinematics.ik(np.array([start, 0.0, tool.height]), tool.rotation, best.q)
    data["tool"]["mount"]["rpy_deg"] = [0, 0, best.turn]
    data["home"] = {"joints": [round(float(angle), 3) for angle in home], "tool": [start, 0.0]}
    data["reach"] |= {"x": [low, high], "y": [-half, half]}
    room = {"x": [round(low - 0.08, 2), round(high + 0.08, 2)], "y": [round(-half - 0.13, 2), round(half + 0.13, 2)]}
    data["workspace"] |= room
    write_profile(data, file)
    return [
        f"reach: x {low:g} to {high:g}, y {-half:g} to {half:g} m, {HEIGHT:g} m above the table; worlds must lie within it"
    ]


def _homes(kinematics: Kinematics, collisions: Collisions) -> list[tuple[float, np.ndarray]]:
    """For some places before the base, of joints (n,) from random starts those that keep all links highest and touch nothing."""
    rng, tool = np.random.default_rng(0), kinematics.robot.tool
    low, high = np.maximum(kinematics.lower, -np.pi), np.minimum(kinematics.upper, np.pi)
    homes = []
    for x in PLACES:
        best: tuple[float, np.ndarray] | None = None
        for _ in range(STARTS):
            try:
                q = kinematics.ik(np.array([x, 0.0, tool.height]), tool.rotation, rng.uniform(low, high))
            except KinematicsError:
                continue
            room = float(np.minimum(q - kinematics.lower, kinematics.upper - q).min())
            score = collisions.mean_height(q) + 0.1 * min(room, 1.0) - 0.02 * float(np.abs(q).mean())
            if (best is None or score > best[0]) and not collisions.of_itself(q) and not collisions.with_table(q):
                best = score, q
        if best is not None:
            homes.append((x, best[1]))
    return homes


def _widest_box(kinematics: Kinematics, collisions: Collisions, x: float, q: np.ndarray) -> tuple[float, float, float]:
    """Lower and upper x and half the width in y [m] of the largest box with `x` in it that is reached without touching."""
    xs = [round(GRID * i, 3) for i in range(round(NEAREST / GRID), round(FARTHEST / GRID) + 1)]
    ys = [round(GRID * i, 3) for i in range(-round(WIDEST / GRID), round(WIDEST / GRID) + 1)]
    found = spread(kinematics, q, xs, ys)
    free = np.array([[_free(collisions, found[a, b]) for b in ys] for a in xs])
    middle, best = len(ys) // 2, (0.0, 0.0, 0.0)
    for i, low in enumerate(xs):
        for j in range(i + 1, len(xs)):
            if not low <= x <= xs[j] or xs[j] - low > DEEPEST:
                continue
            columns = np.all(free[i : j + 1], axis=0)
            wide = next((n for n in range(middle, 0, -1) if columns[middle - n : middle + n + 1].all()), 0)
            if (xs[j] - low) * wide * GRID > (best[1] - best[0]) * best[2]:
                best = (low, xs[j], round(wide * GRID, 3))
    return best


def _free(collisions: Collisions, q: np.ndarray | None) -> bool:
    return q is not None and not collisions.of_itself(q) and not collisions.with_table(q)


def write_profile(data: dict[str, Any], file: Path) -> None:
    """Write a profile with what a person should know of it."""
    text = yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=120)
    head = [
        "# Proposed by ./wm robot new. Look at each line, then: ./wm robot check FOLDER. wm_description/README.md explains the fields.",
        "# base: where the arm stands at the table. tool: replace the pusher where the arm has a tool of its own.",
        "# limits, tool_speed: what you trust the arm with.",
    ]
    file.write_text("\n".join(head) + "\n" + text)
