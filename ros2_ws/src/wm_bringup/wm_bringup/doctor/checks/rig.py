"""Whether the cameras stand where the rig says: by the table and the arm, both seen in depth."""

from collections.abc import Iterator

import numpy as np

from wm_bringup.doctor.checks.cameras import Seen, depth_input, implausible_depth, seen
from wm_bringup.doctor.checks.pictures import FEWEST_READINGS
from wm_bringup.doctor.finding import ERROR, WARNING, Finding
from wm_bringup.doctor.observed import Observed
from wm_core.joint_states import JointStateError, read_joints
from wm_core.meshes import MeshError
from wm_perception.rig_check import ArmSurface, Depth, look
from wm_perception.rig_watch import ANGLE, AT_TABLE

FRAMES = 5
NEAR_NS = 60_000_000  # between an image and its joints
REFINE = "put the camera back, or calibrate it: ./wm calibrate-cameras refine (docs/calibration.md)"


def poses(observed: Observed) -> Iterator[Finding]:
    """By how much each camera is elsewhere."""
    try:
        surface = ArmSurface(observed.setup.kinematics)
    except MeshError as error:
        remedy = "mend the mask of the robot's profile (./wm robot check)"
        yield Finding(WARNING, "rig", observed.setup.robot.name, "meshes of the arm", str(error), remedy)
        return
    robot = observed.setup.robot
    workspace = np.array([robot.reach.lower[:2], robot.reach.upper[:2]])
    for each in seen(observed):
        found = _frames(observed, each)
        if not found or implausible_depth(each) is not None:
            continue
        change = look(found, each.camera.T_table_optical, surface, workspace)
        if change is None:
            here = "neither table nor arm within 4 cm of where they should be"
            yield Finding(ERROR, "rig", each.camera.name, "the table where the rig has it", here, REFINE)
        elif change.at_table > AT_TABLE or (change.angle > ANGLE and not change.unseen):
            here = f"{1e3 * change.at_table:.0f} mm off at the table ({1e3 * change.shift:.0f} mm, {change.angle:.1f} degrees)"
            yield Finding(ERROR, "rig", each.camera.name, "a camera where the rig says", here, REFINE)


def _frames(observed: Observed, each: Seen) -> list[Depth]:
    """The newest depth images with the joints at their time; none where they cannot be read."""
    states = observed.arm.kept
    if each.colour is None or not states:
        return []
    times, found = np.array([stamp for stamp, _ in states]), []
    try:
        read, size = depth_input(each), (each.colour.width, each.colour.height)
        for stamp, message in observed.stream(each.topics.depth).kept[-FRAMES:]:
            at = int(np.abs(times - stamp).argmin())
            joints = states[at][1]
            if abs(int(times[at]) - stamp) <= NEAR_NS or not stamp:
                q = read_joints(observed.setup.kinematics, joints.name, joints.position)
                frame = read.depth_alone(message)
                if (message.width, message.height) != size or (frame.depth > 0).mean() < FEWEST_READINGS:
                    return []
                found.append(Depth(frame.depth, frame.K, q))
    except (ValueError, JointStateError):  # other checks say why
        return []
    return found
