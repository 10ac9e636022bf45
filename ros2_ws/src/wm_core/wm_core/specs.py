"""Specifications: which axes an action has, which fields of a scene a bundle estimates, which inputs its encoder wants.

A bundle, a task and a robot fit together when their specifications do. Each is plain data: `to_dict` is what stands in a YAML file,
`from_dict` reads it, checked by a JSON schema, and names what is wrong.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from wm_core.layout import Columns, Layout, Part, columns
from wm_core.specs_schema import (
    ACTION_SCHEMA,
    AXES,
    OBSERVATION_SCHEMA,
    POSITION,
    ROTATION,
    STATE_SCHEMA,
    TOOL_FIELDS,
    SpecError,
    check,
    faults,
)

MAP_CHANNELS = 5  # height, red, green, blue, observed
UNITS = {"x": "m", "y": "m", "z": "m", "yaw": "rad", "pitch": "rad", "grip": "m"}


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
        problems = [*faults(ACTION_SCHEMA, self.to_dict(), "action"), *self._contradictions()]
        if problems:
            raise SpecError(problems[0])
        object.__setattr__(self, "scale", {axis: float(self.scale[axis]) for axis in AXES if axis in self.scale})
        held = {axis: float(self.held.get(axis, 0.0)) for axis in AXES if axis not in self.scale}
        object.__setattr__(self, "held", held)

    @staticmethod
    def from_dict(data: Any) -> "ActionSpec":
        """From the block `action` of a YAML file; raises SpecError naming the field."""
        check(ACTION_SCHEMA, data, "action")
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
        for group in self._columns:
            part = actions[..., group]
            clipped[..., group] = part / np.maximum(np.linalg.norm(part, axis=-1, keepdims=True), 1.0)
        return clipped.astype(np.float32)

    def scaled(self, actions: np.ndarray) -> np.ndarray:
        """Displacements along the axes in use (..., A) [m, rad] by actions (..., A), of their dtype."""
        actions = self._checked(actions)
        return self.scales.astype(actions.dtype) * actions

    def unscaled(self, displacements: np.ndarray) -> np.ndarray:
        """Actions (..., A) of displacements along the axes in use (..., A) [m, rad], of their dtype."""
        displacements = self._checked(displacements)
        return displacements / self.scales.astype(displacements.dtype)

    def to_displacement(self, actions: np.ndarray) -> np.ndarray:
        """Displacements (..., 6) of a ToolState by actions (..., A), of their dtype; zero along axes that are not in use."""
        actions = self._checked(actions)
        moved = np.zeros((*actions.shape[:-1], len(TOOL_FIELDS)), actions.dtype)
        moved[..., self._fields] = self.scaled(actions)
        return moved

    def from_displacement(self, displacements: np.ndarray) -> np.ndarray:
        """Actions (..., A) of displacements (..., 6) of a ToolState; what moves along other axes is left out."""
        return self.unscaled(self.select(displacements))

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
                return f"expected action.{name} {mine[name]}, got {its[name]}"
        return None

    @cached_property
    def _fields(self) -> list[int]:
        """Places of the axes in use among the numbers of a ToolState, whose opening the axis grip moves."""
        return [AXES.index(axis) for axis in self.axes]

    @cached_property
    def _columns(self) -> list[Columns]:
        return [columns([self.axes.index(axis) for axis in group]) for group in self.groups]

    def _checked(self, values: np.ndarray) -> np.ndarray:
        values = np.asarray(values)
        values = values if np.issubdtype(values.dtype, np.floating) else values.astype(float)
        if not values.ndim or values.shape[-1] != self.size:
            raise SpecError(f"expected actions (..., {self.size}) of {list(self.axes)}, got shape {values.shape}")
        return values

    def _contradictions(self) -> list[str]:
        grouped = [axis for group in self.groups for axis in group]
        found = []
        if both := sorted(set(self.held) & set(self.scale)):
            found.append(f"action.held: expected axes that are not in use, got {both}, which have a scale")
        if unused := sorted(set(grouped) - set(self.scale)):
            found.append(f"action.groups: expected axes in use ({list(self.scale)}), got {unused}")
        if len(set(grouped)) < len(grouped):
            found.append(
                f"action.groups: expected each axis in one group at most, got {[list(g) for g in self.groups]}"
            )
        return found


@dataclass(frozen=True)
class StateSpec:
    """What a bundle estimates, and how its arrays are laid out.

    Latent: [objects, tool, lag of the tool behind its command, the family's own numbers]; readout: [objects, tool]; proprioception: [tool
    measured, tool commanded]. Each object has the same `fields`. What is not estimated is `held`.
    """

    objects: int  # slots K
    fields: tuple[str, ...]  # of each object, out of OBJECT_FIELDS
    tool: tuple[str, ...]  # out of TOOL_FIELDS
    own: int  # numbers of the latent that only the family knows
    held: Mapping[str, float] = field(
        default_factory=dict
    )  # fields of an object that are known without being estimated

    def __post_init__(self) -> None:
        check(STATE_SCHEMA, self.to_dict(), "state")
        if both := sorted(set(self.held) & set(self.fields)):
            raise SpecError(f"state.held: expected fields that are not estimated, got {both}")
        if "yaw" in self.fields and set(ROTATION) & set(self.fields):
            raise SpecError("state.fields: expected yaw or a full rotation (qx qy qz qw), got both")

    @staticmethod
    def from_dict(data: Any) -> "StateSpec":
        """From the block `state` of a YAML file; raises SpecError naming the field."""
        check(STATE_SCHEMA, data, "state")
        return StateSpec(data["objects"], tuple(data["fields"]), tuple(data["tool"]), data["own"], data.get("held", {}))

    def to_dict(self) -> dict[str, Any]:
        """As in a YAML file."""
        return {
            "objects": self.objects,
            "fields": list(self.fields),
            "tool": list(self.tool),
            "own": self.own,
            "held": {name: float(value) for name, value in self.held.items()},
        }

    @cached_property
    def latent(self) -> Layout:
        """Of a latent (..., L)."""
        own = tuple(map(str, range(self.own)))
        return Layout((*self.readout.parts, Part("lag", self.tool), Part("own", own)))

    @cached_property
    def readout(self) -> Layout:
        """Of a readout (..., R)."""
        return Layout((Part("object", self.fields, self.objects), Part("tool", self.tool)))

    @cached_property
    def proprio(self) -> Layout:
        """Of what is known of the tool (..., P): measured, commanded."""
        return Layout((Part("tool", self.tool), Part("target", self.tool)))

    def embedding(self, features: int) -> Layout:
        """Of an embedding (..., D) with so many features of the family: objects, log of their variances, logits of their visibility."""
        return Layout(
            (
                Part("object", self.fields, self.objects),
                Part("log_variance", self.fields, self.objects),
                Part("visibility", ("logit",), self.objects),
                Part("own", tuple(map(str, range(features)))),
            )
        )

    @cached_property
    def position(self) -> tuple[str, ...]:
        """The axes of an object's position that are estimated."""
        return tuple(name for name in self.fields if name in POSITION)

    def object_position(self, latent: Any, slot: int = 0) -> Any:
        """Estimated axes of an object's position (..., n) in latents or readouts (..., L or R): a view."""
        return self.latent.of(latent, "object", self.position, slot)

    def tool_position(self, latent: Any) -> Any:
        """Estimated axes of the tool (..., T) in latents or readouts (..., L or R): a view."""
        return self.latent.of(latent, "tool")


@dataclass(frozen=True)
class BevSpec:
    """Bird's-eye-view map: rows along x of the table, columns along y; metres. Channels: height, red, green, blue, observed."""

    x_min: float = 0.24
    y_min: float = -0.32
    cell: float = 0.008
    rows: int = 64
    columns: int = 80
    z_max: float = 0.25

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the map [m]."""
        return self.x_min + self.rows * self.cell / 2, self.y_min + self.columns * self.cell / 2


@dataclass(frozen=True)
class ObservationSpec:
    """What the encoder of a bundle wants at each instant, and what it makes of it."""

    features: int  # numbers of the embedding that only the family knows
    map: BevSpec | None = None  # one map of all cameras
    images: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)  # height, width, channels by camera
    vectors: Mapping[str, int] = field(default_factory=dict)  # sizes by name

    @staticmethod
    def from_dict(data: Any) -> "ObservationSpec":
        """From the block `observation` of a YAML file; raises SpecError naming the field."""
        check(OBSERVATION_SCHEMA, data, "observation")
        images = {
            name: (entry["height"], entry["width"], entry["channels"]) for name, entry in data.get("images", {}).items()
        }
        grid = BevSpec(**data["map"]) if "map" in data else None
        return ObservationSpec(data["features"], grid, images, data.get("vectors", {}))

    def to_dict(self) -> dict[str, Any]:
        """As in a YAML file."""
        data: dict[str, Any] = {"features": self.features}
        if self.map is not None:
            data["map"] = asdict(self.map)
        if self.images:
            data["images"] = {
                name: dict(zip(("height", "width", "channels"), shape, strict=True))
                for name, shape in self.images.items()
            }
        if self.vectors:
            data["vectors"] = dict(self.vectors)
        return data
