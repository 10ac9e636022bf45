"""Specifications: which axes an action has, which fields of a scene a bundle estimates, which inputs its encoder wants.

A bundle, a task and a robot fit together when their specifications do. Each is plain data: `to_dict` is what stands in a YAML file,
`from_dict` reads it, checked by a JSON schema, and names what is wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jsonschema import Draft202012Validator

from wm_core.specs_schema import ACTION_SCHEMA, AXES, TOOL_FIELDS

UNITS = {"x": "m", "y": "m", "z": "m", "yaw": "rad", "pitch": "rad", "grip": "m"}


class SpecError(ValueError):
    """A specification that cannot be used, or does not fit: says what was expected, what came and what to do."""


@dataclass(frozen=True)
class ActionSpec:
    """One action: a displacement of the tool in one step, by named axes.

    An action (A,) of ones is the largest displacement: `scale` of each axis. `x`, `y`, `z` [m], `yaw`, `pitch` [rad] and `grip` (change of
    the gripper's opening [m]), always in this order. Axes of a group have a common length of at most 1 (e.g. x and y in the unit
    disk), the others are each within -1..1. An axis that is not in use is held at a value.
    """

    scale: Mapping[str, float]  # of each axis in use, per step
    groups: tuple[tuple[str, ...], ...] = ()
    held: Mapping[str, float] = field(default_factory=dict)  # of each axis not in use; 0 where it is not named

    def __post_init__(self) -> None:
        problems = [*_faults(ACTION_SCHEMA, self.to_dict(), "action"), *self._contradictions()]
        if problems:
            raise SpecError(problems[0])
        object.__setattr__(self, "scale", {axis: float(self.scale[axis]) for axis in AXES if axis in self.scale})
        held = {axis: float(self.held.get(axis, 0.0)) for axis in AXES if axis not in self.scale}
        object.__setattr__(self, "held", held)

    @staticmethod
    def from_dict(data: Any) -> "ActionSpec":
        """From the block `action` of a YAML file; raises SpecError naming the field."""
        _check(ACTION_SCHEMA, data, "action")
        scale = {axis: entry["scale"] for axis, entry in data["axes"].items()}
        groups = tuple(tuple(group) for group in data.get("groups", []))
        return ActionSpec(scale, groups, data.get("held", {}))

    def to_dict(self) -> dict[str, Any]:
        """As in a YAML file."""
        axes = {axis: {"scale": scale, "unit": UNITS.get(axis, "")} for axis, scale in self.scale.items()}
        return {"axes": axes, "groups": [list(group) for group in self.groups], "held": dict(self.held)}

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes in use, in the order of an action's numbers."""
        return tuple(self.scale)

    @property
    def size(self) -> int:
        """Numbers of an action."""
        return len(self.scale)

    @cached_property
    def scales(self) -> np.ndarray:
        """Displacement (A,) of an action of ones [m, rad]."""
        return np.array(list(self.scale.values()))

    def index(self, axis: str) -> int:
        """Place of an axis among an action's numbers; raises SpecError for one that is not in use."""
        if axis not in self.scale:
            raise SpecError(f"expected an axis out of {list(self.axes)}, got '{axis}'")
        return self.axes.index(axis)

    def clip(self, actions: np.ndarray) -> np.ndarray:
        """Actions (..., A) float32 with each group shortened to length 1 and every other axis within -1..1."""
        actions = self._checked(actions)
        clipped = np.clip(actions, -1.0, 1.0)
        for columns in self._columns:
            part = actions[..., columns]
            clipped[..., columns] = part / np.maximum(np.linalg.norm(part, axis=-1, keepdims=True), 1.0)
        return clipped.astype(np.float32)

    def to_displacement(self, actions: np.ndarray) -> np.ndarray:
        """Displacements (..., 6) of a ToolState by actions (..., A), of their dtype; zero along axes that are not in use."""
        actions = self._checked(actions)
        moved = np.zeros((*actions.shape[:-1], len(TOOL_FIELDS)), actions.dtype)
        moved[..., self._fields] = self.scales.astype(actions.dtype) * actions
        return moved

    def from_displacement(self, displacements: np.ndarray) -> np.ndarray:
        """Actions (..., A) of displacements (..., 6) of a ToolState; what moves along other axes is left out."""
        return self.select(displacements) / self.scales.astype(np.asarray(displacements).dtype)

    def select(self, tool: np.ndarray) -> np.ndarray:
        """The axes in use (..., A) of a ToolState or a displacement of one (..., 6)."""
        return np.asarray(tool)[..., self._fields]

    def tool_state(self, values: np.ndarray) -> np.ndarray:
        """ToolState (..., 6) with the axes in use at `values` (..., A) and the others where they are held."""
        values = self._checked(values)
        tool = np.empty((*values.shape[:-1], len(TOOL_FIELDS)), values.dtype)
        for axis, value in self.held.items():
            tool[..., AXES.index(axis)] = value
        tool[..., self._fields] = values
        return tool

    def mismatch(self, other: "ActionSpec") -> str | None:
        """Why actions of the other specification are not actions of this one; None when they are."""
        mine, its = self.to_dict(), other.to_dict()
        for name in mine:
            if mine[name] != its[name]:
                return f"action.{name}: expected {mine[name]}, got {its[name]}"
        return None

    @cached_property
    def _fields(self) -> list[int]:
        """Places of the axes in use among the numbers of a ToolState, whose opening the axis grip moves."""
        return [AXES.index(axis) for axis in self.axes]

    @cached_property
    def _columns(self) -> list[slice | list[int]]:
        return [columns([self.axes.index(axis) for axis in group]) for group in self.groups]

    def _checked(self, values: np.ndarray) -> np.ndarray:
        values = np.asarray(values)
        values = values if np.issubdtype(values.dtype, np.floating) else values.astype(float)
        if not values.ndim or values.shape[-1] != self.size:
            raise SpecError(f"expected actions (..., {self.size}) of {list(self.axes)}, got shape {values.shape}")
        return values

    def _contradictions(self) -> list[str]:
        grouped = [axis for group in self.groups for axis in group]
        faults = []
        if both := sorted(set(self.held) & set(self.scale)):
            faults.append(f"action.held: expected axes that are not in use, got {both}, which have a scale")
        if unused := sorted(set(grouped) - set(self.scale)):
            faults.append(f"action.groups: expected axes in use ({list(self.scale)}), got {unused}")
        if len(set(grouped)) < len(grouped):
            faults.append(
                f"action.groups: expected each axis in one group at most, got {[list(g) for g in self.groups]}"
            )
        return faults


def columns(places: list[int]) -> slice | list[int]:
    """Places on an axis as a slice where they follow each other: indexing with it makes a view."""
    first = places[0]
    return slice(first, first + len(places)) if places == list(range(first, first + len(places))) else places


def _faults(schema: dict[str, Any], data: Any, name: str) -> list[str]:
    found = sorted(Draft202012Validator(schema).iter_errors(data), key=lambda fault: list(map(str, fault.path)))
    return [f"{'.'.join([name, *map(str, fault.path)])}: {fault.message}" for fault in found]


def _check(schema: dict[str, Any], data: Any, name: str) -> None:
    for fault in _faults(schema, data, name):
        raise SpecError(fault)
