"""Where the boxes of a hand are to an object that is known by its outline, and objects to each other; differentiable, in torch.

Layout: members, objects, places P of outlines, candidates: (E, K, P, M). Objects have a *heading*: their turn about the vertical (the
twist of their rotation). What is left of the rotation is their *tilt*. On the robot the time goes with the number of operations more
than with their size: what is alike is stacked.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

SHARP = 250.0  # [1/m] how much the nearest places of an outline count more than others
DIRECTIONS = 16  # in which two objects are held apart
SPARSE = 2  # every so many places of an outline are looked at for that


class Pose(NamedTuple):
    """Position, cosine and sine of the heading, tilt quaternion (x, y, 0, w): each (E, K, M)."""

    x: Tensor
    y: Tensor
    z: Tensor
    cos: Tensor
    sin: Tensor
    tilt_x: Tensor
    tilt_y: Tensor
    tilt_w: Tensor

    @staticmethod
    def of(state: Tensor) -> "Pose":
        """Of states (E, 13, K, M): position, quaternion x y z w, velocity."""
        x, y, z, qx, qy, qz, qw = state[:, :7].unbind(1)
        length = (qz * qz + qw * qw + 1e-9).rsqrt()
        c, s = qw * length, qz * length  # of half the heading
        return Pose(x, y, z, c * c - s * s, 2 * c * s, c * qx + s * qy, c * qy - s * qx, c * qw + s * qz)

    def at(self, slots: Tensor) -> "Pose":
        """Of some objects (R,)."""
        return Pose(*(each[:, slots] for each in self))

    def turn(self, ahead: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        """x and y in the table's axes of a vector in the heading's."""
        return self.cos * ahead - self.sin * left, self.sin * ahead + self.cos * left

    def turned_back(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """In the heading's axes, of a vector in the table's."""
        return self.cos * x + self.sin * y, self.cos * y - self.sin * x


class Lines(NamedTuple):
    """An object's side as lines from its bottom to its top, in the heading's axes from its position: (E, K, P, M), and (E, K, M)."""

    x: Tensor
    y: Tensor
    z: Tensor
    axis: tuple[Tensor, Tensor, Tensor]  # unit vector from bottom to top
    lowest: Tensor  # of all, seen from the position


class Shape(NamedTuple):
    """Of objects: outline `px`, `py` (e, K, P, m), `facts` (e, K, 5, P, m): 1, places and outward normals; `height` (e, K, m); metres.

    e in {1, E}, m in {1, M}.
    """

    px: Tensor
    py: Tensor
    facts: Tensor
    height: Tensor

    @staticmethod
    def of(outline: Tensor, height: Tensor) -> "Shape":
        """Of outlines (e, m, K, P, 2) and heights (e, m, K)."""
        along = outline.roll(-1, 3) - outline.roll(1, 3)
        length = (along.square().sum(-1) + 1e-12).rsqrt()
        px, py = outline[..., 0], outline[..., 1]
        facts = torch.stack([torch.ones_like(px), px, py, along[..., 1] * length, -along[..., 0] * length], 3)
        return Shape(
            px.permute(0, 2, 3, 1), py.permute(0, 2, 3, 1), facts.permute(0, 2, 3, 4, 1), height.transpose(1, 2)
        )


def lines(shape: Shape, pose: Pose) -> Lines:
    """The side of each object as it is tilted."""
    tx, ty, tw = pose.tilt_x, pose.tilt_y, pose.tilt_w
    ax, ay, az = 2 * ty * tw, -2 * tx * tw, 2 * tw.square() - 1
    half = 0.5 * shape.height
    xx, xy, yy = 1 - 2 * ty.square(), 2 * tx * ty, 1 - 2 * tx.square()
    xx, xy, yy, low_x, low_y, low_z, ax_, ay_ = (
        each.unsqueeze(2) for each in (xx, xy, yy, half * ax, half * ay, half * az, ax, ay)
    )
    px, py = shape.px, shape.py
    x, y, z = xx * px + xy * py - low_x, xy * px + yy * py - low_y, -ax_ * px - ay_ * py - low_z
    lowest = z.amin(2) + (shape.height * az).clamp(max=0)
    return Lines(x, y, z, (ax, ay, az), lowest)


class Tool(NamedTuple):
    """A tool state: position, cosine and sine of yaw and pitch, opening; each (E, 1, M)."""

    x: Tensor
    y: Tensor
    z: Tensor
    cos: Tensor
    sin: Tensor
    pitch_cos: Tensor
    pitch_sin: Tensor
    opening: Tensor

    @staticmethod
    def of(tool: Tensor) -> "Tool":
        """Of states (E, 6, M)."""
        x, y, z, _, _, opening = tool.unsqueeze(2).unbind(1)
        turns = tool[:, 3:5].unsqueeze(2)
        cos, sin = turns.cos(), turns.sin()
        return Tool(x, y, z, cos[:, 0], sin[:, 0], cos[:, 1], sin[:, 1], opening)


class Boxes(NamedTuple):
    """The boxes of a hand at rest: middles and half extents [m], each (1, B, 1, 1, 1); `opens`: how much of half the opening moves a
    middle along y."""

    x: Tensor
    y: Tensor
    z: Tensor
    opens: Tensor
    half_x: Tensor
    half_y: Tensor
    half_z: Tensor


def touches(shape: Shape, pose: Pose, side: Lines, tool: Tool, boxes: Boxes) -> tuple[Tensor, Tensor]:
    """How near each box of a hand is to an object, and where.

    Gaps (E, B, K, M) [m], negative inside; and (E, B, K, 4, M) the nearest place of the outline and its outward normal.
    """
    cos = pose.cos * tool.cos + pose.sin * tool.sin
    sin = pose.sin * tool.cos - pose.cos * tool.sin
    dx, dy, dz = pose.x - tool.x, pose.y - tool.y, pose.z - tool.z
    off_x, off_y = tool.cos * dx + tool.sin * dy, tool.cos * dy - tool.sin * dx
    ax, ay, az = side.axis
    flat_axis, axis_y = cos * ax - sin * ay, sin * ax + cos * ay
    pc, ps = tool.pitch_cos, tool.pitch_sin
    axis_x, axis_z = pc * flat_axis - ps * az, ps * flat_axis + pc * az
    off_x, off_z = pc * off_x - ps * dz, ps * off_x + pc * dz
    c, s, p, q = (each.unsqueeze(2) for each in (cos, sin, pc, ps))
    off_x, off_y, off_z, axis_x, axis_y, axis_z, height = (
        each.unsqueeze(2) for each in (off_x, off_y, off_z, axis_x, axis_y, axis_z, shape.height)
    )
    flat = c * side.x - s * side.y
    x = p * flat - q * side.z + off_x
    y = s * side.x + c * side.y + off_y
    z = q * flat + p * side.z + off_z
    # From here on for all boxes at once: (E, B, K, P, M).
    middle_y = boxes.opens * (0.5 * tool.opening).unsqueeze(1).unsqueeze(1) + boxes.y
    x, y, z = x.unsqueeze(1) - boxes.x, y.unsqueeze(1) - middle_y, z.unsqueeze(1) - boxes.z
    axis_x, axis_y, axis_z = axis_x.unsqueeze(1), axis_y.unsqueeze(1), axis_z.unsqueeze(1)
    along = (-(x * axis_x + y * axis_y + z * axis_z)).clamp(min=0).minimum(height.unsqueeze(1))
    gap = torch.maximum(
        torch.maximum((x + along * axis_x).abs() - boxes.half_x, (y + along * axis_y).abs() - boxes.half_y),
        (z + along * axis_z).abs() - boxes.half_z,
    )
    nearest = gap.amin(3)
    weight = ((nearest.unsqueeze(3) - gap) * SHARP).exp()
    if shape.facts.shape[-1] == 1:  # one outline for all candidates: a matrix product
        sums = torch.matmul(shape.facts[..., 0].unsqueeze(1), weight)
    else:
        sums = (shape.facts.unsqueeze(1) * weight.unsqueeze(3)).sum(4)
    return nearest, sums[:, :, :, 1:] / sums[:, :, :, :1]


def supports(pose: Pose, side: Lines, height: Tensor) -> Tensor:
    """How far objects reach from their position in each of DIRECTIONS of the table (E, K, DIRECTIONS, M) [m]."""
    ax, ay, _ = side.axis
    c, s = pose.cos.unsqueeze(2), pose.sin.unsqueeze(2)
    sparse_x, sparse_y = side.x[:, :, ::SPARSE], side.y[:, :, ::SPARSE]
    x, y = c * sparse_x - s * sparse_y, s * sparse_x + c * sparse_y
    rise_x, rise_y = pose.turn(height * ax, height * ay)
    cos, sin = (each[: DIRECTIONS // 2].view(1, 1, -1, 1) for each in directions(x))
    places = cos.unsqueeze(3) * x.unsqueeze(2) + sin.unsqueeze(3) * y.unsqueeze(2)  # (E, K, D, P, M)
    rise = cos * rise_x.unsqueeze(2) + sin * rise_y.unsqueeze(2)
    return torch.cat([places.amax(3) + rise.clamp(min=0), -places.amin(3) - rise.clamp(max=0)], 2)


def directions(like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines (DIRECTIONS,) of the directions in which objects are held apart."""
    angles = [2 * math.pi * number / DIRECTIONS for number in range(DIRECTIONS)]
    return like.new_tensor([math.cos(angle) for angle in angles]), like.new_tensor(
        [math.sin(angle) for angle in angles]
    )


def apart(pose: Pose, reach: Tensor, to: Tensor, of: Tensor) -> Tensor:
    """Gaps (E, R, M) [m] between pairs of objects as seen from above, negative where they overlap; `reach`: their `supports`."""
    dx, dy = (pose.x[:, of] - pose.x[:, to]).unsqueeze(2), (pose.y[:, of] - pose.y[:, to]).unsqueeze(2)
    cos, sin = (each.view(1, 1, -1, 1) for each in directions(dx))
    return (cos * dx + sin * dy - reach[:, to] - reach[:, of].roll(DIRECTIONS // 2, 2)).amax(2)


def displaced(state: Tensor, pose: Pose, moved: Tensor, active: Tensor) -> Tensor:
    """States (E, 13, K, M) after a step; `moved`: displacement, rotation vector and new velocity in the heading's axes."""
    ahead, left = pose.turn(moved[:, [0, 3, 6, 9]].transpose(0, 1), moved[:, [1, 4, 7, 10]].transpose(0, 1))
    place = state[:, :3] + torch.stack([ahead[0], left[0], moved[:, 2]], 1)
    rotation = turned(state[:, 3:7], torch.stack([ahead[1], left[1], moved[:, 5]], 1))
    velocity = torch.stack([ahead[2], left[2], moved[:, 8], ahead[3], left[3], moved[:, 11]], 1) * active
    return torch.cat([place, rotation, velocity], 1)


def turned(rotation: Tensor, by: Tensor) -> Tensor:
    """Quaternions (E, 4, K, M) turned by rotation vectors (E, 3, K, M) [rad] in the table's axes; small angles."""
    rx, ry, rz = (by / 2).unbind(1)
    x, y, z, w = rotation.unbind(1)
    found = torch.stack(
        [
            x + rx * w + ry * z - rz * y,
            y + ry * w + rz * x - rx * z,
            z + rz * w + rx * y - ry * x,
            w - rx * x - ry * y - rz * z,
        ],
        1,
    )
    return found * (found.square().sum(1, keepdim=True) + 1e-12).rsqrt()
