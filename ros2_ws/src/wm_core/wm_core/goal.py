"""Goals: what the scene shall become, how far it is from that, and when it is there.

Every goal is plain data. `distance(scene)` [m] is 0 or more, `reached(scene)` whether it is within its tolerances; both have the
scene's leading axes. Text is parsed into these kinds before. Directions are those of REP-103 seen from the robot: x ahead, y to the left.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wm_core.rotations import uprightness, wrapped
from wm_core.scene import SceneState
from wm_core.specs_schema import HELD_FIELDS, POSITION

RELATIONS = ("on", "in", "left_of", "right_of", "in_front_of", "behind", "apart")
LEVER = 0.08  # [m] by which a wrong yaw counts as a wrong position
UP = POSITION.index("z")
TOUCHING = 0.01  # [m] an object that rests on another is as close to its top


class GoalError(ValueError):
    """A goal that cannot be pursued: says why and what is accepted."""


class Goal(ABC):
    """What the scene shall become."""

    @abstractmethod
    def distance(self, scene: SceneState) -> np.ndarray:
        """How far off (...,) [m] the scene is; NaN where a goal has no distance."""

    @abstractmethod
    def reached(self, scene: SceneState) -> np.ndarray:
        """Whether (...,) the scene is as wanted."""

    @property
    def parts(self) -> "tuple[Goal, ...]":
        """The goals that this one is made of: itself, where it is not several."""
        return (self,)


@dataclass(frozen=True)
class PoseGoal(Goal):
    """An object at a pose: any of x, y, z [m] and yaw [rad]."""

    pose: Mapping[str, float]
    tolerance: float  # [m]
    yaw_tolerance: float = np.inf  # [rad]
    identity: str = ""  # of the object; empty: the only one

    def __post_init__(self) -> None:
        unknown = sorted(set(self.pose) - set(HELD_FIELDS))
        if unknown or not self.pose:
            raise GoalError(f"expected a pose of some of {list(HELD_FIELDS)}, got {sorted(self.pose)}")
        if not all(np.isfinite(value) for value in (*self.pose.values(), self.tolerance)):
            raise GoalError(f"expected a finite pose and tolerance, got {dict(self.pose)} and {self.tolerance}")
        if self.tolerance <= 0 or not self.yaw_tolerance > 0:
            raise GoalError(f"expected tolerances above 0, got {self.tolerance} m and {self.yaw_tolerance} rad")

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes of the position that matter."""
        return tuple(axis for axis in POSITION if axis in self.pose)

    @property
    def position(self) -> np.ndarray:
        """Where (n,) [m] along `axes`."""
        return np.array([self.pose[axis] for axis in self.axes], float)

    def distance(self, scene: SceneState) -> np.ndarray:
        """Euclidean; a wrong yaw counts as the chord that a point LEVER away is off."""
        off = self._position_off(scene)
        if "yaw" not in self.pose:
            return off
        return np.sqrt(off**2 + LEVER**2 * 2 * (1 - np.cos(self._yaw_off(scene))))

    def reached(self, scene: SceneState) -> np.ndarray:
        close = self._position_off(scene) < self.tolerance
        if "yaw" not in self.pose:
            return close
        off = self._yaw_off(scene)
        return close & (np.abs(wrapped(off)) < self.yaw_tolerance)

    def _position_off(self, scene: SceneState) -> np.ndarray:
        place = scene.position[..., scene.slot(self.identity), :]
        return np.linalg.norm(place[..., [POSITION.index(axis) for axis in self.axes]] - self.position, axis=-1)

    def _yaw_off(self, scene: SceneState) -> np.ndarray:
        return scene.yaw[..., scene.slot(self.identity)] - self.pose["yaw"]


@dataclass(frozen=True)
class ZoneGoal(Goal):
    """An object's centre within a box along some axes [m]."""

    lower: Mapping[str, float]
    upper: Mapping[str, float]
    identity: str = ""

    def __post_init__(self) -> None:
        if set(self.lower) != set(self.upper) or not self.lower or not set(self.lower) <= set(POSITION):
            raise GoalError(f"expected both bounds along some of {list(POSITION)}, got {self.lower} and {self.upper}")
        if not all(self.lower[axis] < self.upper[axis] for axis in self.lower):
            raise GoalError(f"expected lower bounds below the upper ones, got {self.lower} and {self.upper}")

    def distance(self, scene: SceneState) -> np.ndarray:
        """To the box; 0 inside."""
        place = scene.position[..., scene.slot(self.identity), :]
        beyond = [
            np.maximum(self.lower[axis] - place[..., i], 0) + np.maximum(place[..., i] - self.upper[axis], 0)
            for i, axis in enumerate(POSITION)
            if axis in self.lower
        ]
        return np.linalg.norm(np.stack(beyond, -1), axis=-1)

    def reached(self, scene: SceneState) -> np.ndarray:
        return self.distance(scene) == 0


@dataclass(frozen=True)
class RelationGoal(Goal):
    """One object related to another: on it, in it, beside it in a direction by `gap` [m], or at least `gap` apart from it."""

    relation: str
    identity: str
    other: str
    gap: float = 0.0

    def __post_init__(self) -> None:
        if self.relation not in RELATIONS:
            raise GoalError(f"expected a relation out of {list(RELATIONS)}, got '{self.relation}'")
        if self.identity == self.other:
            raise GoalError(f"expected two different objects, got '{self.identity}' twice")
        if not (np.isfinite(self.gap) and self.gap >= 0):
            raise GoalError(f"expected a gap of at least 0 m, got {self.gap}")

    def distance(self, scene: SceneState) -> np.ndarray:
        """How far the object must move at least, by the boxes around both."""
        mine, its = scene.slot(self.identity), scene.slot(self.other)
        apart = scene.position[..., mine, :] - scene.position[..., its, :]
        half, other_half = scene.size[..., mine, :] / 2, scene.size[..., its, :] / 2
        if self.relation == "apart":
            return np.maximum(self.gap - np.linalg.norm(apart, axis=-1), 0)
        if self.relation in ("on", "in"):
            beyond = np.abs(apart) - other_half
            if self.relation == "on":
                at_rest = apart - (half + other_half)
                beyond[..., UP] = np.abs(at_rest[..., UP]) - TOUCHING
            return np.linalg.norm(np.maximum(beyond, 0), axis=-1)
        axis, sign = {"left_of": (1, 1), "right_of": (1, -1), "behind": (0, 1), "in_front_of": (0, -1)}[self.relation]
        wanted = self.gap + half[..., axis] + other_half[..., axis]
        return np.maximum(wanted - sign * apart[..., axis], 0)

    def reached(self, scene: SceneState) -> np.ndarray:
        return self.distance(scene) == 0


@dataclass(frozen=True)
class UprightGoal(Goal):
    """An object that lies shall stand, wherever."""

    identity: str = ""
    tolerance: float = 0.14  # [rad] of its tilt

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < np.pi / 2:
            raise GoalError(f"expected a tolerance between 0 and a quarter turn, got {self.tolerance} rad")

    def distance(self, scene: SceneState) -> np.ndarray:
        """The chord by which a point LEVER away from the middle is off."""
        return LEVER * np.sqrt(2 * (1 - self._upright(scene)))

    def reached(self, scene: SceneState) -> np.ndarray:
        return self._upright(scene) > np.cos(self.tolerance)

    def _upright(self, scene: SceneState) -> np.ndarray:
        """Cosine of the angle between the object's z axis and the vertical."""
        return uprightness(scene.rotation[..., scene.slot(self.identity), :])


@dataclass(frozen=True)
class ImageGoal(Goal):
    """The cameras shall see this image (H, W, 3) uint8. It is judged by a bundle's latents: a scene says nothing about it."""

    image: np.ndarray

    def distance(self, scene: SceneState) -> np.ndarray:
        return np.full(scene.presence.shape[:-1], np.nan)

    def reached(self, scene: SceneState) -> np.ndarray:
        return np.zeros(scene.presence.shape[:-1], bool)


@dataclass(frozen=True)
class ExploreGoal(Goal):
    """See what the model does not know yet: never reached, ends with its time."""

    seed: int = 0

    def distance(self, scene: SceneState) -> np.ndarray:
        return np.full(scene.presence.shape[:-1], np.nan)

    def reached(self, scene: SceneState) -> np.ndarray:
        return np.zeros(scene.presence.shape[:-1], bool)


@dataclass(frozen=True)
class AllOf(Goal):
    """Several goals at once."""

    goals: tuple[Goal, ...]

    def __post_init__(self) -> None:
        if not self.goals:
            raise GoalError("expected at least one goal, got none")

    @property
    def parts(self) -> tuple[Goal, ...]:
        return tuple(part for goal in self.goals for part in goal.parts)

    def distance(self, scene: SceneState) -> np.ndarray:
        """The sum: each metre that any of them is off counts."""
        return np.sum([goal.distance(scene) for goal in self.goals], axis=0)

    def reached(self, scene: SceneState) -> np.ndarray:
        return np.all([goal.reached(scene) for goal in self.goals], axis=0)
