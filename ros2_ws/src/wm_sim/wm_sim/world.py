"""Worlds as data: a table, an object, where it starts and where goals lie. Read from sim_worlds/worlds/*.yaml."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wm_core.checked_yaml import load_checked
from wm_core.paths import worlds_dir
from wm_core.robot import RobotProfile
from wm_core.solid import Solid
from wm_core.task import Task, load_task


def _numbers(count: int) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "number"}, "minItems": count, "maxItems": count}


_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_REGION = {"lower": _numbers(2), "upper": _numbers(2)}
FIXTURES: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["shape", "position", "colour"],
        "additionalProperties": False,
        "properties": {
            "shape": {"enum": ["box", "cylinder"]},
            "size": {**_numbers(3), "items": _POSITIVE},
            "radius": _POSITIVE,
            "height": _POSITIVE,
            "position": _numbers(3),
            "colour": _numbers(3),
            "collides": {"type": "boolean"},
        },
        "oneOf": [
            {"properties": {"shape": {"const": "box"}}, "required": ["size"]},
            {"properties": {"shape": {"const": "cylinder"}}, "required": ["radius", "height"]},
        ],
    },
}
TABLE: dict[str, Any] = {
    "type": "object",
    "required": ["size", "centre", "colour", "friction"],
    "additionalProperties": False,
    "properties": {"size": _numbers(2), "centre": _numbers(2), "colour": _numbers(3), "friction": _POSITIVE},
}
LIGHT: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "direction": _numbers(3),
        "ambient": {"type": "number", "minimum": 0},
        "diffuse": {"type": "number", "minimum": 0},
    },
}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name", "rig", "table", "object", "start", "goal"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "rig": {"type": "string"},
        "table": TABLE,
        "object": {
            "type": "object",
            "required": ["mass", "friction", "parts"],
            "additionalProperties": False,
            "properties": {
                "mass": _POSITIVE,
                "friction": _POSITIVE,
                "centre_of_mass": _numbers(3),
                "parts": FIXTURES,
            },
        },
        "fixtures": FIXTURES,
        "light": LIGHT,
        "start": {
            "type": "object",
            "required": ["lower", "upper"],
            "additionalProperties": False,
            "properties": _REGION,
        },
        "goal": {
            "type": "object",
            "required": ["lower", "upper", "min_distance"],
            "additionalProperties": False,
            "properties": {**_REGION, "min_distance": {"type": "number", "minimum": 0}},
        },
        "randomise": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "mass": _numbers(2),
                "friction": _numbers(2),
                "size": _numbers(2),
                "colour": {"type": "number", "minimum": 0, "maximum": 1},
            },
        },
    },
}


class WorldError(ValueError):
    """A world file that cannot be used: names the file and the field."""


@dataclass(frozen=True)
class Part:
    """One primitive of an object or fixture; `size` is full box extents or (radius, height) [m]."""

    shape: str
    size: tuple[float, ...]
    position: tuple[float, float, float]
    colour: tuple[float, float, float]
    collides: bool

    @property
    def solid(self) -> Solid:
        """Where it is."""
        if self.shape == "box":
            return Solid.box(self.size, self.position)
        radius, height = self.size
        return Solid.cylinder(radius, height, self.position)


@dataclass(frozen=True)
class Region:
    """A rectangle on the table [m]."""

    lower: np.ndarray
    upper: np.ndarray

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(self.lower, self.upper)


@dataclass(frozen=True)
class Randomisation:
    """Ranges of factors drawn per episode in data collection; `colour`: largest change of each channel."""

    mass: tuple[float, float] = (1.0, 1.0)
    friction: tuple[float, float] = (1.0, 1.0)
    size: tuple[float, float] = (1.0, 1.0)
    colour: float = 0.0


@dataclass(frozen=True)
class Light:
    """Where light comes from (towards it, table frame) and how much of a colour it shows: everywhere, and on lit faces."""

    direction: tuple[float, float, float] = (0.6, 0.3, 1.5)
    ambient: float = 0.65
    diffuse: float = 0.45


@dataclass(frozen=True)
class World:
    """A table with one object on it. Lengths in metres, mass in kg, positions in the table frame, its top at z = 0."""

    name: str
    rig: str
    table_size: tuple[float, float]
    table_centre: tuple[float, float]
    table_colour: tuple[float, float, float]
    table_friction: float
    mass: float
    friction: float
    centre_of_mass: tuple[float, float, float]
    parts: tuple[Part, ...]
    start: Region
    goal: Region
    min_distance: float
    randomise: Randomisation
    light: Light = Light()
    fixtures: tuple[Part, ...] = ()  # parts that stand still

    def check_reach(self, robot: RobotProfile) -> None:
        """Raise WorldError unless objects start and shall go where the robot's tool can be commanded."""
        lower, upper = robot.reach_region.corners
        for name, region in (("start", self.start), ("goal", self.goal)):
            if (region.lower < lower).any() or (region.upper > upper).any():
                raise WorldError(
                    f"{self.name}: {name}: expected a region within the reach of robot '{robot.name}', {lower.tolist()} to"
                    f" {upper.tolist()} m, got {region.lower.tolist()} to {region.upper.tolist()}; change the region, or"
                    f" how the robot stands in {robot.file}"
                )

    def practised(self, task: Task) -> "World":
        """This world, where objects start and goals lie within the task's region of practice too.

        Raises TaskError where that is not on the table or leaves nothing of the world's own regions.
        """
        region = task.regions.practice
        lower, upper = (dict(zip(region.axes, corner, strict=True)) for corner in (region.lower, region.upper))
        half = np.array(self.table_size) / 2
        edges = np.array([self.table_centre - half, self.table_centre + half])
        parts = {"start": self.start, "goal": self.goal}
        for i, axis in enumerate("xy"):
            field, said = f"regions.practice.{axis}", f"{lower[axis]:g} to {upper[axis]:g} m"
            if lower[axis] < edges[0, i] or upper[axis] > edges[1, i]:
                table = f"the table of {self.name}, {edges[0, i]:g} to {edges[1, i]:g} m"
                raise task.error(field, f"expected a region on {table}, got {said}")
            for name, own in parts.items():
                if upper[axis] <= own.lower[i] or lower[axis] >= own.upper[i]:
                    world = f"{self.name}, whose `{name}` is {own.lower[i]:g} to {own.upper[i]:g} m"
                    raise task.error(field, f"expected a region that overlaps with that of {world}, got {said}")
        box = np.array([[lower["x"], lower["y"]], [upper["x"], upper["y"]]])
        start, goal = (Region(np.maximum(own.lower, box[0]), np.minimum(own.upper, box[1])) for own in parts.values())
        if np.linalg.norm(goal.upper - goal.lower) / 2 < self.min_distance:
            raise task.error(
                "regions.practice",
                f"expected room for goals {self.min_distance:g} m from the start ({self.name}: goal.min_distance), got {region}",
            )
        return replace(self, start=start, goal=goal)

    def draw_goal(self, rng: np.random.Generator, start: np.ndarray) -> np.ndarray:
        """A goal (2,) [m] at least `min_distance` from the start, so that no episode starts solved."""
        for _ in range(1000):
            goal = self.goal.draw(rng)
            if np.linalg.norm(goal - start) >= self.min_distance:
                return goal
        raise WorldError(
            f"{self.name}: goal: no goal at least {self.min_distance} m from {np.round(start, 3)}; enlarge its region"
        )


def load_world(name_or_path: str | Path, task: str | Path = "") -> World:
    """A world by name (sim_worlds/worlds/NAME.yaml) or by path; raises WorldError naming file and field.

    `task`: name or file of a task, to whose region of practice the world is narrowed; raises TaskError. Empty: the whole world.
    """
    file = Path(name_or_path)
    if file.suffix not in (".yaml", ".yml"):
        file = worlds_dir() / f"{name_or_path}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in worlds_dir().glob("*.yaml")))
        raise WorldError(f"expected a world file, {file} does not exist; known worlds: {known}")
    world = _world(file, load_checked(file, _SCHEMA, WorldError))
    return world.practised(load_task(task)) if task else world


def _world(file: Path, data: dict[str, Any]) -> World:
    table, body, goal = data["table"], data["object"], data["goal"]
    centre = body.get("centre_of_mass") or _centre(body["parts"])
    return World(
        data["name"],
        data["rig"],
        tuple(table["size"]),
        tuple(table["centre"]),
        tuple(table["colour"]),
        table["friction"],
        body["mass"],
        body["friction"],
        tuple(centre),
        tuple(part_of(part) for part in body["parts"]),
        region_of(file, "start", data["start"]),
        region_of(file, "goal", goal),
        goal["min_distance"],
        Randomisation(**_tuples(data.get("randomise", {}))),
        light_of(data),
        tuple(part_of(part) for part in data.get("fixtures", [])),
    )


def _tuples(data: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}


def light_of(data: dict[str, Any]) -> Light:
    """The block `light` of a file, or what stands in for it."""
    return Light(**_tuples(data.get("light", {})))


def part_of(data: dict[str, Any]) -> Part:
    """A part of an object or fixture in a file."""
    size = data["size"] if data["shape"] == "box" else (data["radius"], data["height"])
    return Part(data["shape"], tuple(size), tuple(data["position"]), tuple(data["colour"]), data.get("collides", True))


def region_of(file: Path, name: str, data: dict[str, Any]) -> Region:
    """The block `name` of a file; raises WorldError."""
    lower, upper = np.asarray(data["lower"], float), np.asarray(data["upper"], float)
    if not (lower < upper).all():
        raise WorldError(f"{file}: {name}: expected lower < upper, got {data['lower']} and {data['upper']}")
    return Region(lower, upper)


def _centre(parts: list[dict[str, Any]]) -> np.ndarray:
    """Mean position of the colliding parts, weighted by volume."""
    solid = [part for part in parts if part.get("collides", True)]
    volumes = [
        np.prod(part["size"]) if part["shape"] == "box" else np.pi * part["radius"] ** 2 * part["height"]
        for part in solid
    ]
    return np.average([part["position"] for part in solid], axis=0, weights=volumes)
