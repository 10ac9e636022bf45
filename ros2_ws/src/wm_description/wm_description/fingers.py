"""The gripper of an arm's URDF as a tool: what the closed fingers push with."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from typing import Any

import numpy as np
import pinocchio

from wm_core.kinematics import Kinematics
from wm_core.meshes import link_shapes
from wm_core.rotations import parts_of
from wm_description.arm import MOVING, Joint, Tree

BELOW_TIP = 0.008  # [m] the fingers end this much below the tip, as the Panda's do
PUSHING = 0.053  # [m] of the fingers' length are the part that pushes, as with the Panda's
THINNEST = 0.0005  # [m] box
TOPIC = "gripper_controller/commands"
FORCE = 10.0  # [N] or [N m], where the URDF says none


@dataclass(frozen=True)
class GripperTool:
    """Fields of a profile: of `tool` the mount and boxes, and `gripper`, None where one range does not say how the fingers close.

    `notes`: what a person should look at.
    """

    tool: dict[str, Any]
    gripper: dict[str, Any] | None
    notes: list[str]


def gripper_tool(kinematics: Kinematics) -> GripperTool | None:
    """The hand behind the last joint of an arm as a tool; None for an arm without fingers.

    The tip lies between the closed fingers, near their ends, along z of the link that carries them.
    """
    tree = Tree(ElementTree.fromstring(kinematics.description))
    last = next(joint for joint in tree.joints if joint.name == kinematics.joint_names[-1])
    fingers = [joint for joint in tree.behind(last.child) if joint.kind in MOVING]
    if not fingers:
        return None
    hand = _Hand(kinematics.description, tree, last.child, fingers)
    span = hand.span()
    solids = hand.solids(span[0] if span else 0.0)
    if not solids:
        return None
    tool = _tool(hand.link, solids)
    if span is None:
        unlike = " ".join(joint.name for joint in hand.leaders)
        return GripperTool(tool, None, [f"gripper: left out, no one range closes {unlike}; the tool is the hand at 0"])
    effort = hand.leaders[0].effort or FORCE
    names = [joint.name for joint in (*hand.leaders, *hand.alike)]
    gripper = {"joints": names, "range": list(span), "force": effort, "topic": TOPIC}
    notes = [
        f"gripper: closed at {span[0]:g}, open at {span[1]:g}, by where its fingers are; joints: {' '.join(names)}"
    ]
    if rest := [joint.name for joint in fingers if joint.name not in names]:
        notes.append(f"gripper: {' '.join(rest)} follow by <mimic>, which the simulator does not move")
    return GripperTool(tool, gripper, notes)


def _tool(link: str, solids: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """The fields `mount` and `boxes` of a tool that is fixed to a link and has these solids in its frame."""
    end = max(float(vertices[:, 2].max()) for vertices, _ in solids)
    boxes = [part for part in _parted(solids, end - PUSHING) if len(part) and np.ptp(part[:, 2]) > THINNEST]
    boxes = boxes or [np.concatenate([vertices for vertices, _ in solids])]
    tip = np.array([*(boxes[0].min(0) + boxes[0].max(0))[:2] / 2, end - BELOW_TIP])
    return {
        "mount": {"link": link, "position": _rounded(tip), "rpy_deg": [0, 0, 0]},
        "boxes": [
            {
                "position": _rounded((part.min(0) + part.max(0)) / 2 - tip),
                "size": _rounded(np.ptp(part, axis=0), THINNEST),
            }
            for part in boxes
        ],
    }


class _Hand:
    """Links that finger joints move, as seen from the `link` that carries all of them. `leaders`: joints that move by themselves;
    `alike`: those that are always where their leader is."""

    def __init__(self, description: str, tree: Tree, start: str, fingers: list[Joint]) -> None:
        self.link = _carrier(tree, start, fingers)
        self.leaders = [joint for joint in fingers if joint.independent]
        self.alike = [joint for joint in fingers if joint.mimics and (joint.factor, joint.offset) == (1.0, 0.0)]
        self._fingers = fingers
        self._model = pinocchio.buildModelFromXML(description)
        self._data = self._model.createData()
        links = dict.fromkeys(name for joint in fingers for name in (joint.child, *_fixed_to(tree, joint.child)))
        self._shapes = [shape for link in links for shape in link_shapes(description, [link])]

    def span(self) -> tuple[float, float] | None:
        """Position of the leaders when closed and when open: closed is where the fingers are nearer to each other. None where they
        have no range, or not the same."""
        bounds = {(joint.lower, joint.upper) for joint in self.leaders}
        if len(bounds) != 1 or any(joint.kind == "continuous" for joint in self.leaders):
            return None
        lower, upper = bounds.pop()
        if not lower < upper or not self._shapes:
            return None
        return (lower, upper) if self._width(lower) <= self._width(upper) else (upper, lower)

    def _width(self, position: float) -> float:
        """Mean distance [m] of the fingers' parts from their middle."""
        middles = np.array([vertices.mean(0) for vertices, _ in self.solids(position)])
        return float(np.linalg.norm(middles - middles.mean(0), axis=1).mean())

    def solids(self, position: float) -> list[tuple[np.ndarray, np.ndarray]]:
        """Vertices (V, 3) [m] in the frame of `link`, and triangles, of the fingers' parts with the leaders at a position."""
        q = pinocchio.neutral(self._model)
        at = {joint.name: position for joint in self.leaders}
        for joint in self._fingers:
            value = joint.factor * at.get(joint.mimics, 0.0) + joint.offset if joint.mimics else at[joint.name]
            model_joint = self._model.joints[self._model.getJointId(joint.name)]
            if model_joint.nq == 1:  # one that turns without end has two
                q[model_joint.idx_q] = value
        pinocchio.framesForwardKinematics(self._model, self._data, q)
        carrier = self._pose(self.link)
        solids = []
        for shape in self._shapes:
            rotation, place = parts_of(np.linalg.inv(carrier) @ self._pose(shape.link) @ shape.pose)
            solids.append((shape.vertices @ rotation.T + place, shape.triangles))
        return solids

    def _pose(self, link: str) -> np.ndarray:
        return np.array(self._data.oMf[self._model.getFrameId(link)].homogeneous)


def _parted(solids: list[tuple[np.ndarray, np.ndarray]], z: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (V, 3) [m] of the surfaces on either side of a height, above it first; those on it belong to both."""
    points = []
    for vertices, triangles in solids:
        a, b = (vertices[triangles[:, corners].ravel()] for corners in ([0, 1, 2], [1, 2, 0]))
        crossing = (a[:, 2] - z) * (b[:, 2] - z) < 0
        a, b = a[crossing], b[crossing]
        points += [vertices, a + ((z - a[:, 2]) / (b[:, 2] - a[:, 2]))[:, None] * (b - a)]
    every = np.concatenate(points)
    return every[every[:, 2] >= z - 1e-9], every[every[:, 2] <= z + 1e-9]


def _carrier(tree: Tree, start: str, fingers: list[Joint]) -> str:
    """The last link before the fingers part: all of their joints hang from it."""
    paths = [[joint.child for joint in tree.path(finger.parent)] for finger in fingers]
    behind = [path[path.index(start) :] for path in paths]
    common = start
    for links in zip(*behind, strict=False):
        if len(set(links)) > 1:
            break
        common = links[0]
    return common


def _fixed_to(tree: Tree, link: str) -> list[str]:
    """Links that a link carries without a joint that moves between them."""
    found = []
    for joint in tree.below.get(link, []):
        if joint.kind == "fixed":
            found += [joint.child, *_fixed_to(tree, joint.child)]
    return found


def _rounded(values: np.ndarray, least: float = -np.inf) -> list[float]:
    return [round(max(float(value), least), 4) for value in values]
