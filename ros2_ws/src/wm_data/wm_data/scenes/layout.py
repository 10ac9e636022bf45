"""The arrays of a dataset of scenes: names, shapes and units. M motions of T steps, slots for K objects of which some are empty."""

from typing import NamedTuple

import numpy as np

from wm_core.object_state import STATE
from wm_core.solid import POINTS

SLOTS = 6
VERSION = 1


class Array(NamedTuple):
    """`shape` behind the first axis, of motions; `T`: steps."""

    shape: tuple[int | str, ...]
    kind: str
    meaning: str


ARRAYS = {
    "tool": Array(("T+1", 6), "f4", "commanded tool state [m, rad]"),
    "opening": Array(("T+1",), "f4", "measured between the fingers [m]"),
    "moves": Array(("T", 6), "f4", "displacement of the commanded tool state in each step [m, rad]"),
    "objects": Array(("T+1", SLOTS, STATE), "f4", "where objects truly are: position, quaternion, velocity"),
    "by_robot": Array(("T+1", SLOTS), "?", "the robot touches the object"),
    "by_object": Array(("T+1", SLOTS), "?", "another object touches it"),
    "present": Array((SLOTS,), "?", "the slot holds an object"),
    "outline": Array((SLOTS, POINTS, 2), "f4", "of the object's footprint in its frame [m]"),
    "height": Array((SLOTS,), "f4", "of the object [m]"),
    "friction": Array((SLOTS,), "f4", "of the object on the table: the product of both"),
    "mass": Array((SLOTS,), "f4", "[kg]"),
    "table": Array((4,), "f4", "lower x, y, upper x, y of the table's top [m]"),
    "motion": Array((), "i2", "number of the motion's name in dataset.yaml"),
    "seed": Array((), "i4", "of the start"),
}


def shape_of(array: Array, motions: int, steps: int) -> tuple[int, ...]:
    """Of one array of a dataset."""
    sides = {"T": steps, "T+1": steps + 1}
    return (motions, *(sides[side] if isinstance(side, str) else side for side in array.shape))


def empty(motions: int, steps: int) -> dict[str, np.ndarray]:
    """All arrays, zero; rotations of empty slots are unit quaternions."""
    arrays = {name: np.zeros(shape_of(array, motions, steps), array.kind) for name, array in ARRAYS.items()}
    arrays["objects"][..., 6] = 1.0
    return arrays
