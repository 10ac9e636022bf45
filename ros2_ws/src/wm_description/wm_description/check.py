"""Says what is missing or contradictory in a robot profile, before anything moves."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.meshes import MeshError, link_shapes
from wm_core.robot import HalfSpace, RobotError, RobotProfile, load_robot
from wm_core.robot_description import describe, joint_problems, plain_limits
from wm_core.rotations import parts_of
from wm_core.specs import UNITS
from wm_core.task import load_task
from wm_description.collisions import Collisions
from wm_description.reach import Reach, home_joints, tool_speed, try_reach

SHOWN = 3  # examples of a kind
HIGHEST_OBJECT = 0.25  # [m] higher up nothing is taken for an object


@dataclass
class Findings:
    """What was found: `errors` stop the robot from being used, `warnings` do not, `facts` are good to know."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)


def check_robot(name_or_path: str | Path, urdf: str = "") -> Findings:
    """Check a profile; `urdf`: text of the URDF of a robot whose description comes on a topic."""
    found = Findings()
    try:
        robot = load_robot(name_or_path)
        robot = robot.published(urdf) if urdf else robot
        description = describe(robot)
    except RobotError as error:
        found.errors.append(str(error))
        return found
    found.errors += joint_problems(description, robot.joints) + _names(robot, description)
    found.warnings += _loose_limits(robot) + _slow(robot)
    _places(robot, found)
    if found.errors:
        return found
    try:
        kinematics = Kinematics(robot)
        _motion(kinematics, Collisions(kinematics), found)
    except (KinematicsError, MeshError) as error:
        found.errors.append(str(error))
    return found


def _names(robot: RobotProfile, description: str) -> list[str]:
    """Links and joints that the profile names and the URDF does not have."""
    root = ElementTree.fromstring(description)
    links = {link.get("name") for link in root.findall("link")}
    joints = {joint.get("name") for joint in root.findall("joint")}
    wanted = [("tool.link", robot.tool.link), ("base.frame", robot.base_frame)]
    wanted += [("mask", link) for part in robot.mask for link in part.links]
    found = [f"{where}: link '{link}' is not in the URDF" for where, link in wanted if link not in links]
    if robot.gripper:
        found += [f"gripper.joints: '{name}' is not in the URDF" for name in robot.gripper.joints if name not in joints]
    return found


def _loose_limits(robot: RobotProfile) -> list[str]:
    """Limits of the profile that the URDF's, which hold, are tighter than, and what no URDF says."""
    found = []
    for i, (name, limit) in enumerate(zip(robot.joints, plain_limits(robot), strict=True)):
        for key, values in (("velocity", robot.limits.velocity), ("effort", robot.limits.effort)):
            if values is not None and 0 < limit.get(key, 0.0) < values[i]:
                found.append(f"limits.{key}: {name}: {values[i]:g} is above the URDF's {limit[key]:g}, which holds")
    for key in ("acceleration", "jerk"):
        if getattr(robot.limits, key) is None:
            found.append(f"limits.{key}: not given, the guard is cautious; look it up in the arm's data sheet")
    return found


def _slow(robot: RobotProfile) -> list[str]:
    """A tool that is slower than the usual task moves it."""
    task = load_task()
    step = max(scale for axis, scale in task.action.scale.items() if UNITS[axis] == "m")
    speed = step / task.step_duration
    if robot.tool_speed >= speed:
        return []
    return [
        f"tool_speed: {robot.tool_speed:g} m/s is below the {speed:g} m/s of the task '{task.name}' ({step:g} m in"
        f" {task.step_duration:g} s): the guard slows its commands down (`limited: tool_speed`); raise it where the arm may"
    ]


def _places(robot: RobotProfile, found: Findings) -> None:
    """How home, reach, workspace and tool lie to each other and to the table."""
    reach, workspace, tool = robot.reach, robot.workspace, robot.tool
    if (reach.lower[:3] < workspace.lower).any() or (reach.upper[:3] > workspace.upper).any():
        found.errors.append(
            f"reach: expected it within the workspace {_box(workspace.lower, workspace.upper)}, which the guard keeps the"
            f" tool in, got {_box(reach.lower[:3], reach.upper[:3])}"
        )
    if not reach.lower[2] <= tool.height <= reach.upper[2]:
        found.errors.append(f"tool.height: expected it within reach.z, got {tool.height:g} m")
    home = np.array([*robot.home.position, robot.home.yaw])
    if (home < reach.lower - 1e-9).any() or (home > reach.upper + 1e-9).any():
        found.errors.append(f"home.tool: expected a place within the reach, got {np.round(home, 3).tolist()}")
    lowest = min(float((_corners(box.position, box.size) @ tool.rotation[2]).min()) for box in tool.boxes)
    if tool.height + lowest <= 0:
        found.errors.append(
            f"tool.height: at {tool.height:g} m the tool's lowest part is {1000 * (tool.height + lowest):.0f} mm above the"
            " table; lift it"
        )


def _motion(kinematics: Kinematics, collisions: Collisions, found: Findings) -> None:
    """Whether the arm gets home and everywhere within its reach, without touching itself, the table or what is kept out."""
    starts = kinematics.robot.home.joints
    try:
        home = home_joints(kinematics)
    except KinematicsError as error:
        found.errors.append(f"home: the arm does not get there from home.joints: {error}")
        _kept_out_at_home(kinematics.robot, collisions.in_keep_out(starts), found)
        return
    zones = _kept_out_at_home(kinematics.robot, [*collisions.in_keep_out(starts), *collisions.in_keep_out(home)], found)
    _touching(collisions, home, "home", found)
    reach = try_reach(kinematics, home)
    if reach.missed:
        share = len(reach.missed) / (len(reach.missed) + len(reach.reached))
        examples = ", ".join(_place(place) for place in reach.missed[:SHOWN])
        found.errors.append(
            f"reach: {100 * share:.0f} % of the places tried cannot be reached: {examples}, ...; narrow it"
        )
    before = len(found.errors)
    for place, q in reach.reached.items():
        _touching(collisions, q, f"reach: with the tool at {_place(place)}", found)
        if len(found.errors) >= before + SHOWN:
            break
    flat = {place: q for place, q in reach.reached.items() if place[2:] == (kinematics.robot.tool.height, 0.0)}
    if flat:
        slowest, place = min((tool_speed(kinematics, q), place) for place, q in flat.items())
        found.facts.append(
            f"slowest within reach: {slowest:.2f} m/s at {_place(place)}, by the joints' velocity limits"
        )
    found.warnings += _kept_out_within_reach(collisions, reach, zones) + _unmasked(kinematics, reach)
    found.facts.append(f"{len(reach.reached)} places tried and reached")


def _kept_out_at_home(robot: RobotProfile, entered: list[tuple[str, str]], found: Findings) -> list[str]:
    """The guard refuses to begin in a zone of `keep_out`; returns the names of the zones where it does not."""
    for zone in robot.keep_out:
        if links := dict.fromkeys(f"'{link}'" for link, name in entered if name == zone.name):
            remedy = "move it"
            if isinstance(zone, HalfSpace):
                normal = "(" + ", ".join(f"{value:g}" for value in zone.normal) + ")"
                remedy = (
                    f"it forbids all places whose product with the normal {normal} is below {zone.offset:g} m: move it, or, if the"
                    " other side is meant, turn the signs of normal and offset"
                )
            found.errors.append(
                f"keep_out: '{zone.name}': expected it clear of the arm at home, {', '.join(list(links)[:SHOWN])} is in it, and the"
                f" guard refuses such a robot; {remedy}"
            )
    return [zone.name for zone in robot.keep_out if zone.name not in {name for _, name in entered}]


def _kept_out_within_reach(collisions: Collisions, reach: Reach, zones: list[str]) -> list[str]:
    """How much of the reach is only reached with a part of the arm in a zone of `keep_out`, by zone."""
    inside: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in zones}
    for place, q in reach.reached.items() if zones else ():
        for name in {name for _, name in collisions.in_keep_out(q)} & inside.keys():
            inside[name].append(place)
    return [
        f"keep_out: '{name}': with the tool at {100 * len(places) / len(reach.reached):.0f} % of the places tried within the reach a"
        f" part of the arm is in it, as at {_place(places[0])}: the guard stops the arm before; narrow the reach or move '{name}'"
        for name, places in inside.items()
        if places
    ]


def _touching(collisions: Collisions, q: np.ndarray, where: str, found: Findings) -> None:
    for one, other in collisions.of_itself(q)[:SHOWN]:
        found.errors.append(f"{where}: '{one}' and '{other}' touch")
    for link, height in collisions.with_table(q)[:SHOWN]:
        found.errors.append(f"{where}: '{link}' is {1000 * height:.0f} mm above the table")


def _unmasked(kinematics: Kinematics, reach: Reach) -> list[str]:
    """Links that come where objects are and that no mask takes out of the cameras' view."""
    robot = kinematics.robot
    masked = {link for part in robot.mask for link in part.links}
    root = ElementTree.fromstring(kinematics.description)
    names = [link.get("name", "") for link in root.findall("link")]
    shapes = link_shapes(kinematics.description, [name for name in names if name not in masked])
    seen = set()
    for q in list(reach.reached.values())[:: max(1, len(reach.reached) // 50)]:
        for shape, pose in zip(shapes, kinematics.link_poses([s.link for s in shapes], q), strict=True):
            rotation, position = parts_of(pose @ shape.pose)
            x, y, z = (shape.vertices @ rotation.T + position).T
            above = robot.reach_region.contains(np.stack([x, y], -1)) & (z < HIGHEST_OBJECT)
            if above.any():
                seen.add(shape.link)
    return [f"mask: link '{link}' comes where objects are, and is not in the mask" for link in sorted(seen)]


def _corners(position: np.ndarray, size: np.ndarray) -> np.ndarray:
    signs = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    return position + signs * size


def _box(lower: np.ndarray, upper: np.ndarray) -> str:
    return " x ".join(f"{a:g}..{b:g}" for a, b in zip(lower, upper, strict=True)) + " m"


def _place(place: tuple[float, float, float, float]) -> str:
    x, y, z, yaw = place
    return f"({x:.2f}, {y:.2f}, {z:.3f}) m, {np.degrees(yaw):.0f} degrees"
