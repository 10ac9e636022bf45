"""Beliefs, goals, plans and latencies as markers and transforms for RViz and Foxglove."""

from collections.abc import Mapping

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Transform, TransformStamped, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray
from wm_msgs.msg import Belief, Goal, Plan

from wm_core.rig import CameraRig
from wm_core.robot import RobotProfile
from wm_core.rotations import parts_of, quaternion_of

TEXT_M = 0.02  # height of letters
LATENCY_AT = (0.0, 0.0, 0.6)  # [m] in the table's frame, over the robot's base
GREY = ColorRGBA(r=0.9, g=0.9, b=0.9, a=1.0)
BLUE = ColorRGBA(r=0.2, g=0.5, b=1.0, a=0.5)
GREEN = ColorRGBA(r=0.1, g=0.8, b=0.2, a=0.7)
OPTICAL = "{}_rig_optical_frame"  # a driver publishes its own frames of the camera, which have one parent each


def belief_markers(belief: Belief) -> MarkerArray:
    """A box with the believed size and a name for each object that is there, after a marker that deletes the last ones."""
    markers = [Marker(header=belief.header, ns="belief", action=Marker.DELETEALL)]
    for number, each in enumerate(belief.objects):
        if each.presence <= 0.5:
            continue
        size = [side if np.isfinite(side) and side > 0 else 0.02 for side in (each.size.x, each.size.y, each.size.z)]
        colour = ColorRGBA(r=BLUE.r, g=BLUE.g, b=BLUE.b, a=0.2 + 0.4 * each.visibility)
        markers.append(_marker(belief.header, "belief", number, Marker.CUBE, each.pose, size, colour))
        over = Point(x=each.pose.position.x, y=each.pose.position.y, z=each.pose.position.z + 0.06)
        error = 1000 * float(np.nanmax([*each.pose_std[:2], 0.0]))
        markers.append(_text(belief.header, "belief_name", number, over, f"{each.id} +-{error:.0f} mm"))
    return MarkerArray(markers=markers)


def goal_markers(header: Header, goal: Goal) -> MarkerArray:
    """A disk where the object is to be; its radius is the tolerance. `header`: of the belief, for a goal that names no frame."""
    pose = goal.object_pose
    width = 2 * max(goal.tolerance, 0.02)
    flat = Pose(position=Point(x=pose.pose.position.x, y=pose.pose.position.y, z=0.001))
    return MarkerArray(
        markers=[_marker(_framed(header, goal), "goal", 0, Marker.CYLINDER, flat, (width, width, 0.002), GREEN)]
    )


def plan_markers(plan: Plan, costs: tuple[float, float]) -> MarkerArray:
    """The tool's planned path, from green to red by its cost within `costs`, the lowest and highest of late."""
    low, high = costs
    share = 0.0 if high <= low else float(np.clip((plan.cost - low) / (high - low), 0.0, 1.0))
    line = _marker(
        plan.header, "plan", 0, Marker.LINE_STRIP, Pose(), (0.004, 0.0, 0.0), ColorRGBA(r=share, g=1 - share, a=1.0)
    )
    line.points = [each.position for each in plan.tool]
    return MarkerArray(markers=[line])


def latency_markers(header: Header, latencies: Mapping[str, float]) -> MarkerArray:
    """Stages and their times [ms] in words."""
    x, y, z = LATENCY_AT
    text = "\n".join(f"{name} {ms:.0f} ms" for name, ms in latencies.items())
    return MarkerArray(markers=[_text(header, "latency", 0, Point(x=x, y=y, z=z), text)])


def camera_transforms(header: Header, rig: CameraRig) -> list[TransformStamped]:
    """Of the rig's optical frames; the parent is the rig's frame."""
    parent = Header(stamp=header.stamp, frame_id=rig.frame_id)
    return [placed(parent, OPTICAL.format(camera.name), camera.T_table_optical) for camera in rig.cameras]


def robot_transforms(header: Header, robot: RobotProfile) -> list[TransformStamped]:
    """What of a robot stands still and only its profile knows: the table, and a tool that is mounted.

    The table is a child of the base: that may have a parent in the tree of the arm's driver, and a frame has one.
    """
    found = []
    if robot.table_frame != robot.base_frame:
        base = Header(stamp=header.stamp, frame_id=robot.base_frame)
        found.append(placed(base, robot.table_frame, np.linalg.inv(robot.T_table_base)))
    if (mount := robot.tool.mount) is not None:
        found.append(placed(Header(stamp=header.stamp, frame_id=mount.link), robot.tool.link, mount.pose))
    return found


def placed(header: Header, child: str, pose: np.ndarray) -> TransformStamped:
    """Of a frame that stands at a pose (4, 4) in the header's frame."""
    rotation, position = parts_of(pose)
    x, y, z, w = quaternion_of(rotation)
    place = Vector3(**dict(zip("xyz", map(float, position), strict=True)))
    moved = Transform(translation=place, rotation=Quaternion(x=x, y=y, z=z, w=w))
    return TransformStamped(header=header, child_frame_id=child, transform=moved)


def belief_transforms(belief: Belief) -> list[TransformStamped]:
    """Of the objects that are there."""
    return [transform(belief.header, each.id, each.pose) for each in belief.objects if each.presence > 0.5]


def goal_transform(header: Header, child: str, goal: Goal) -> TransformStamped:
    """Of the place where the object is to be, now. `header`: of the belief, for a goal that names no frame."""
    return transform(_framed(header, goal), child, goal.object_pose.pose)


def _framed(header: Header, goal: Goal) -> Header:
    """The time of a belief and the frame of a goal, where that is empty the belief's: the table frame, as for the planner."""
    return Header(stamp=header.stamp, frame_id=goal.object_pose.header.frame_id or header.frame_id)


def transform(header: Header, child: str, pose: Pose) -> TransformStamped:
    """Of a frame that stands at a pose."""
    p = pose.position
    moved = Transform(translation=Vector3(x=p.x, y=p.y, z=p.z), rotation=pose.orientation)
    return TransformStamped(header=header, child_frame_id=child, transform=moved)


def _marker(
    header: Header, ns: str, number: int, kind: int, pose: Pose, size: tuple | list, colour: ColorRGBA
) -> Marker:
    scale = Vector3(**dict(zip("xyz", map(float, size), strict=True)))
    return Marker(header=header, ns=ns, id=number, type=kind, pose=pose, scale=scale, color=colour)


def _text(header: Header, ns: str, number: int, place: Point, text: str) -> Marker:
    marker = _marker(header, ns, number, Marker.TEXT_VIEW_FACING, Pose(position=place), (0.0, 0.0, TEXT_M), GREY)
    marker.text = text
    return marker
