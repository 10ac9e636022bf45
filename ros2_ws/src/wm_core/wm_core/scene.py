"""The state of the world: the tool and the objects on the table, with names for every number. Metres, radians, frame of the table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wm_core.specs import StateSpec
from wm_core.specs_schema import POSITION, ROTATION, TOOL_FIELDS, VELOCITY, SpecError

ERROR_FIELDS = (*POSITION, "roll", "pitch", "yaw", *VELOCITY)  # of the variances of an object


@dataclass(frozen=True)
class ToolState:
    """Where the tool is, or is commanded to be: (..., 6) x, y, z [m], yaw, pitch [rad], opening of the gripper [m]."""

    values: np.ndarray

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.shape[-1:] != (len(TOOL_FIELDS),):
            raise SpecError(
                f"expected a tool state (..., {len(TOOL_FIELDS)}) of {list(TOOL_FIELDS)}, got {values.shape}"
            )
        object.__setattr__(self, "values", values)

    @staticmethod
    def at(x: float, y: float, z: float, yaw: float = 0.0, pitch: float = 0.0, opening: float = 0.0) -> "ToolState":
        """One tool state (6,)."""
        return ToolState(np.array([x, y, z, yaw, pitch, opening], float))

    def get(self, fields: Sequence[str]) -> np.ndarray:
        """Some fields (..., n)."""
        return self.values[..., [TOOL_FIELDS.index(name) for name in fields]]

    @property
    def position(self) -> np.ndarray:
        """(..., 3) [m]: a view."""
        return self.values[..., :3]

    @property
    def xy(self) -> np.ndarray:
        """(..., 2) [m]: a view."""
        return self.values[..., :2]

    @property
    def yaw(self) -> np.ndarray:
        """(...,) [rad] about the table's z axis."""
        return self.values[..., 3]

    @property
    def pitch(self) -> np.ndarray:
        """(...,) [rad]; 0: it points straight down."""
        return self.values[..., 4]

    @property
    def opening(self) -> np.ndarray:
        """(...,) [m] between the fingers."""
        return self.values[..., 5]


@dataclass(frozen=True)
class SceneState:
    """K objects; every array may have the same leading axes (...). NaN: not known."""

    presence: np.ndarray  # (..., K) probability that the slot holds an object
    position: np.ndarray  # (..., K, 3) [m]
    rotation: np.ndarray  # (..., K, 4) unit quaternion x, y, z, w
    velocity: np.ndarray  # (..., K, 6) linear [m/s], angular [rad/s]
    variance: np.ndarray  # (..., K, 12) of ERROR_FIELDS: position, rotation vector, velocity
    size: np.ndarray  # (..., K, 3) [m] extents along the object's axes
    shape: np.ndarray  # (..., K, S) code of the shape
    appearance: np.ndarray  # (..., K, C) code of the looks
    identities: tuple[str, ...]  # K names that last: object_3, or what the user said

    def __post_init__(self) -> None:
        slots = len(self.identities)
        leading = self.presence.shape[:-1]
        sizes = {"position": 3, "rotation": 4, "velocity": 6, "variance": len(ERROR_FIELDS), "size": 3}
        if self.presence.shape[-1:] != (slots,):
            raise SpecError(f"expected presence (..., {slots}) of {slots} identities, got {self.presence.shape}")
        for name in (*sizes, "shape", "appearance"):
            found = getattr(self, name).shape
            wanted = (*leading, slots, sizes.get(name, found[-1] if found else 0))
            if found != wanted:
                raise SpecError(f"expected {name} of shape {wanted}, got {found}")
        if len(set(self.identities)) < slots:
            raise SpecError(f"expected different identities, got {list(self.identities)}")

    @staticmethod
    def unknown(identities: Sequence[str], leading: tuple[int, ...] = (), dtype: type = float) -> "SceneState":
        """A scene of which nothing is known: presence 0, everything else NaN, without codes."""
        slots = len(identities)

        def nothing(size: int) -> np.ndarray:
            return np.full((*leading, slots, size), np.nan, dtype)

        presence: np.ndarray = np.zeros((*leading, slots), dtype)
        arrays = (nothing(3), nothing(4), nothing(6), nothing(len(ERROR_FIELDS)), nothing(3), nothing(0), nothing(0))
        return SceneState(presence, *arrays, tuple(identities))

    @staticmethod
    def of_pose(position: np.ndarray, rotation: np.ndarray) -> "SceneState":
        """One object at a pose: position (3,) [m], unit quaternion (4,) x, y, z, w; nothing else is known of it."""
        scene = SceneState.unknown(("object_0",))
        scene.presence[:], scene.position[:], scene.rotation[:] = 1.0, position, rotation
        return scene

    @property
    def slots(self) -> int:
        return len(self.identities)

    @property
    def xy(self) -> np.ndarray:
        """(..., K, 2) [m]: a view."""
        return self.position[..., :2]

    @property
    def yaw(self) -> np.ndarray:
        """(..., K) [rad] about the table's z axis."""
        x, y, z, w = np.moveaxis(self.rotation, -1, 0)
        return np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))

    def slot(self, identity: str = "") -> int:
        """Slot of an object; without a name that of the only one. Raises SpecError."""
        if not identity and self.slots == 1:
            return 0
        if identity not in self.identities:
            raise SpecError(f"expected an object out of {list(self.identities)}, got '{identity}'")
        return self.identities.index(identity)

    def only(self, slots: Sequence[int] | np.ndarray) -> "SceneState":
        """Some of the objects, in the order of `slots`."""
        chosen = np.asarray(slots, int)
        names = ("position", "rotation", "velocity", "variance", "size", "shape", "appearance")
        arrays = {name: getattr(self, name)[..., chosen, :] for name in names}
        identities = tuple(self.identities[slot] for slot in chosen)
        return replace(self, presence=self.presence[..., chosen], identities=identities, **arrays)

    def std(self, fields: Sequence[str]) -> np.ndarray:
        """Standard deviations (..., K, n) of some of ERROR_FIELDS."""
        return np.sqrt(self.variance[..., [ERROR_FIELDS.index(name) for name in fields]])


def rotation_of(yaw: np.ndarray) -> np.ndarray:
    """Unit quaternions (..., 4) x, y, z, w of turns (...,) [rad] about the table's z axis."""
    half = np.asarray(yaw) / 2
    return np.stack([np.zeros_like(half), np.zeros_like(half), np.sin(half), np.cos(half)], -1)


def identities_of(state: StateSpec) -> tuple[str, ...]:
    """Names of the slots of a bundle that tracks nothing by name."""
    return tuple(f"object_{slot}" for slot in range(state.objects))


def scene_of(
    state: StateSpec,
    values: np.ndarray,
    variance: np.ndarray | None = None,
    presence: np.ndarray | None = None,
    identities: Sequence[str] | None = None,
) -> SceneState:
    """The scene that latents or readouts (..., L or R) say.

    `variance`: of the same fields, (..., K * fields or more); `presence` (..., K), default 1. What is not estimated is held, or NaN.
    """
    values = np.asarray(values)
    leading, slots, fields = values.shape[:-1], state.objects, state.fields
    names = identities_of(state) if identities is None else tuple(identities)
    scene = SceneState.unknown(names, leading, values.dtype.type)
    estimated = values[..., state.readout.slice("object")].reshape(*leading, slots, len(fields))
    known = dict(zip(fields, np.moveaxis(estimated, -1, 0), strict=True))
    known |= {
        name: np.broadcast_to(np.asarray(value, values.dtype), (*leading, slots)) for name, value in state.held.items()
    }
    for array, array_fields in ((scene.position, POSITION), (scene.rotation, ROTATION), (scene.velocity, VELOCITY)):
        for i, name in enumerate(array_fields):
            if name in known:
                array[..., i] = known[name]
    if "yaw" in known:
        scene.rotation[...] = rotation_of(known["yaw"])
    if variance is not None:
        spread = np.asarray(variance)[..., state.readout.slice("object")].reshape(*leading, slots, len(fields))
        for i, name in enumerate(fields):
            if name in ERROR_FIELDS:
                scene.variance[..., ERROR_FIELDS.index(name)] = spread[..., i]
    scene.presence[...] = 1.0 if presence is None else presence
    return scene


def tool_of(position: np.ndarray, rotation: np.ndarray, opening: float = np.nan) -> ToolState:
    """Tool state (6,) of a pose: position (3,) [m], rotation (3, 3).

    A tool that points straight down has pitch 0; its yaw is that of its x axis.
    """
    upright = np.asarray(rotation) @ np.diag([1.0, -1.0, -1.0])  # Rz(yaw) Ry(pitch)
    yaw = np.arctan2(upright[1, 0], upright[0, 0])
    pitch = np.arctan2(-upright[2, 0], np.hypot(upright[0, 0], upright[1, 0]))
    return ToolState(np.array([*position, yaw, pitch, opening], float))
