"""Where the boxes of a hand are to an object that is known by its outline, and objects to each other; differentiable, in torch.

Layout: members, numbers, objects, places P of outlines, candidates: (E, n, K, P, M); where nothing differs along an axis it has size
1. Objects have a *heading*: their turn about the vertical (the twist of their rotation). What is left of the rotation is their *tilt*.
On the robot the time goes with the number of operations more than with their size: what is alike is done at once, and no axis is added
or taken away on the way.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

SHARP = 250.0  # [1/m] how much the nearest places of an outline count more than others
DIRECTIONS = 16  # in which two objects are held apart
SPARSE = 2  # every so many places of an outline are looked at for that


class Pose(NamedTuple):
    """Position (E, 3, K, 1, M); cosine and sine of the heading, tilt quaternion (x, y, 0, w): each (E, 1, K, 1, M)."""

    place: Tensor
    cos: Tensor
    sin: Tensor
    tilt_x: Tensor
    tilt_y: Tensor
    tilt_w: Tensor

    @staticmethod
    def of(state: Tensor) -> "Pose":
        """Of states (E, 13, K, 1, M): position, quaternion x y z w, velocity."""
        qx, qy, qz, qw = state[:, 3:7].split(1, 1)
        length = (qz * qz + qw * qw + 1e-9).rsqrt()
        c, s = qw * length, qz * length  # of half the heading
        return Pose(state[:, :3], c * c - s * s, 2 * c * s, c * qx + s * qy, c * qy - s * qx, c * qw + s * qz)

    def turn(self, ahead: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        """x and y in the table's axes of a vector in the heading's."""
        return self.cos * ahead - self.sin * left, self.sin * ahead + self.cos * left

    def turned_back(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """In the heading's axes, of a vector in the table's."""
        return self.cos * x + self.sin * y, self.cos * y - self.sin * x


class Lines(NamedTuple):
    """An object's side as lines from its bottom to its top, in the heading's axes from its position."""

    bottom: Tensor  # (E, 3, K, P, M)
    axis: Tensor  # (E, 3, K, 1, M) unit vector from bottom to top
    rise: Tensor  # the same, as long as the object is high
    lowest: Tensor  # (E, 1, K, 1, M) height of the lowest of all places, seen from the position


class Shape(NamedTuple):
    """Of objects: outline `px`, `py` (e, 1, K, P, m), `facts` (e, K, 5, P, m): 1, places and outward normals; `height` (e, 1, K, 1, m).

    Metres; e in {1, E}, m in {1, M}.
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
        px, py = (each.permute(0, 2, 3, 1).unsqueeze(1) for each in (px, py))
        return Shape(px, py, facts.permute(0, 2, 3, 4, 1), height.transpose(1, 2).unsqueeze(1).unsqueeze(3))


def lines(shape: Shape, pose: Pose) -> Lines:
    """The side of each object as it is tilted."""
    tx, ty, tw = pose.tilt_x, pose.tilt_y, pose.tilt_w
    ax, ay, az, xy = 2 * ty * tw, -2 * tx * tw, 2 * tw * tw - 1, 2 * tx * ty
    axis = torch.cat([ax, ay, az], 1)
    ahead, left = torch.cat([1 - 2 * ty * ty, xy, -ax], 1), torch.cat([xy, 1 - 2 * tx * tx, -ay], 1)
    rise = shape.height * axis
    bottom = ahead * shape.px + left * shape.py - 0.5 * rise
    return Lines(bottom, axis, rise, bottom[:, 2:].amin(3, keepdim=True) + rise[:, 2:].clamp(max=0))


class Tool(NamedTuple):
    """A tool state: `place` (E, 3, 1, 1, M); the table's axes in the tool's `ahead`, `left`, `up`, each (E, 3, 1, 1, M); the sine of the
    pitch and the opening (E, 1, 1, 1, M).
    """

    place: Tensor
    ahead: Tensor
    left: Tensor
    up: Tensor
    pitch_sin: Tensor
    opening: Tensor

    @staticmethod
    def of(tool: Tensor) -> "Tool":
        """Of states (E, 6, 1, 1, M)."""
        (yaw_cos, pitch_cos), (yaw_sin, pitch_sin) = (
            turned.split(1, 1) for turned in (tool[:, 3:5].cos(), tool[:, 3:5].sin())
        )
        ahead = torch.cat([pitch_cos * yaw_cos, -yaw_sin, pitch_sin * yaw_cos], 1)
        left = torch.cat([pitch_cos * yaw_sin, yaw_cos, pitch_sin * yaw_sin], 1)
        up = torch.cat([-pitch_sin, torch.zeros_like(pitch_sin), pitch_cos], 1)
        return Tool(tool[:, :3], ahead, left, up, pitch_sin, tool[:, 5:])

    def heading_of(self, pose: Pose) -> tuple[Tensor, Tensor]:
        """The first two axes of objects' headings in the tool's, each (E, 3, K, 1, M)."""
        return self.ahead * pose.cos + self.left * pose.sin, self.left * pose.cos - self.ahead * pose.sin


class Boxes(NamedTuple):
    """The B boxes of a hand at rest: middles and half extents [m], each (1, 3, B, 1, 1, 1); `opens`: how much half the opening moves a
    middle.
    """

    middle: Tensor
    opens: Tensor
    half: Tensor


def touches(
    shape: Shape, pose: Pose, side: Lines, tool: Tool, boxes: Boxes
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """How near each box of a hand is to an object, and where.

    Gaps (E, B, K, 1, M) [m], negative inside; the nearest place of the outline and its outward normal (E, B, K, 4, M); and cosine and
    sine of the object's heading in the tool's (E, 1, K, 1, M).
    """
    ahead, left = tool.heading_of(pose)
    dx, dy, dz = (pose.place - tool.place).split(1, 1)
    x, y, z = side.bottom.split(1, 1)
    ax, ay, az = side.axis.split(1, 1)
    at = ahead * x + left * y + tool.up * z + (tool.ahead * dx + tool.left * dy + tool.up * dz)
    axis = (ahead * ax + left * ay + tool.up * az).unsqueeze(2)
    at = at.unsqueeze(2) - (boxes.middle + boxes.opens * (0.5 * tool.opening).unsqueeze(2))  # (E, 3, B, K, P, M)
    along = (-(at * axis).sum(1, keepdim=True)).clamp(min=0).minimum(shape.height.unsqueeze(2))
    gap = ((at + along * axis).abs() - boxes.half).amax(1)
    nearest = gap.amin(3, keepdim=True)
    weight = ((nearest - gap) * SHARP).exp()
    if shape.facts.shape[-1] == 1:  # one outline for all candidates: a matrix product
        sums = torch.matmul(shape.facts[..., 0].unsqueeze(1), weight)
    else:
        sums = (shape.facts.unsqueeze(1) * weight.unsqueeze(3)).sum(4)
    return nearest, sums[:, :, :, 1:] / sums[:, :, :, :1], (left[:, 1:2], ahead[:, 1:2])


def supports(pose: Pose, side: Lines) -> Tensor:
    """How far objects reach from their position in each of DIRECTIONS of the table (E, DIRECTIONS, K, 1, M) [m]."""
    ahead, left, _ = side.bottom[:, :, :, ::SPARSE].split(1, 1)
    x, y = pose.turn(ahead, left)
    rise_x, rise_y = pose.turn(side.rise[:, :1], side.rise[:, 1:2])
    cos, sin = directions(x)
    places, rise = cos * x + sin * y, cos * rise_x + sin * rise_y
    ends = places.amax(3, keepdim=True) + rise.clamp(min=0), -places.amin(3, keepdim=True) - rise.clamp(max=0)
    return torch.cat(ends, 1)


def directions(like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the first half of the directions in which objects are held apart: (1, DIRECTIONS / 2, 1, 1, 1)."""
    angles = [2 * math.pi * number / DIRECTIONS for number in range(DIRECTIONS // 2)]
    cos, sin = (like.new_tensor([f(angle) for angle in angles]) for f in (math.cos, math.sin))
    return cos.view(1, -1, 1, 1, 1), sin.view(1, -1, 1, 1, 1)


def apart(dx: Tensor, dy: Tensor, reach: Tensor, other: Tensor) -> Tensor:
    """Gaps (E, 1, R, 1, M) [m] between pairs of objects as seen from above, negative where they overlap.

    `dx`, `dy`: from one to the other; `reach`, `other` (E, DIRECTIONS, R, 1, M): the `supports` of both.
    """
    cos, sin = directions(dx)
    way = cos * dx + sin * dy
    half = DIRECTIONS // 2
    there, back = way - reach[:, :half] - other[:, half:], -way - reach[:, half:] - other[:, :half]
    return torch.maximum(there, back).amax(1, keepdim=True)


def displaced(state: Tensor, pose: Pose, moved: Tensor, active: Tensor) -> Tensor:
    """States (E, 13, K, 1, M) after a step; `moved` (E, 12, K, 1, M): displacement, rotation vector and new velocity in the heading's
    axes.
    """
    m = moved.split(1, 1)
    ahead, left = pose.turn(torch.cat([m[0], m[3], m[6], m[9]], 1), torch.cat([m[1], m[4], m[7], m[10]], 1))
    a, b = ahead.split(1, 1), left.split(1, 1)
    place = state[:, :3] + torch.cat([a[0], b[0], m[2]], 1)
    rotation = turned(state[:, 3:7], torch.cat([a[1], b[1], m[5]], 1))
    velocity = torch.cat([a[2], b[2], m[8], a[3], b[3], m[11]], 1) * active
    return torch.cat([place, rotation, velocity], 1)


def turned(rotation: Tensor, by: Tensor) -> Tensor:
    """Quaternions (E, 4, ...) turned by rotation vectors (E, 3, ...) [rad] in the table's axes; small angles."""
    rx, ry, rz = (by / 2).split(1, 1)
    x, y, z, w = rotation.split(1, 1)
    found = rotation + torch.cat(
        [
            rx * w + ry * z - rz * y,
            ry * w + rz * x - rx * z,
            rz * w + rx * y - ry * x,
            -rx * x - ry * y - rz * z,
        ],
        1,
    )
    return found * (found.square().sum(1, keepdim=True) + 1e-12).rsqrt()
