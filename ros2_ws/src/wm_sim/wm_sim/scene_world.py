"""Worlds of several objects as data: which kinds, how many, how they start. Read from sim_worlds/scenes/*.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wm_core.checked_yaml import load_checked
from wm_core.paths import worlds_dir
from wm_core.robot import RobotProfile
from wm_sim.kinds import Body, Kind, load_kind
from wm_sim.world import FIXTURES, LIGHT, TABLE, Light, Part, Region, WorldError, light_of, part_of, region_of

MOST = 6  # objects

_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_RANGE = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_COUNT = {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": MOST}, "minItems": 2, "maxItems": 2}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name", "rig", "table", "objects", "start"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "rig": {"type": "string"},
        "table": TABLE,
        "objects": {
            "type": "object",
            "required": ["count", "kinds"],
            "additionalProperties": False,
            "properties": {
                "count": _COUNT,
                "kinds": {
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": {"type": "number", "exclusiveMinimum": 0},
                },
            },
        },
        "start": {
            "type": "object",
            "required": ["lower", "upper", "gap"],
            "additionalProperties": False,
            "properties": {
                "lower": _RANGE,
                "upper": _RANGE,
                "gap": {"type": "number", "minimum": 0},
                "beside": _SHARE,
                "stacked": _SHARE,
                "toppled": _SHARE,
            },
        },
        "fixtures": FIXTURES,
        "light": LIGHT,
        "randomise": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"friction": _RANGE, "object_friction": _RANGE, "mass": _RANGE, "off_centre": _SHARE},
        },
    },
}


@dataclass(frozen=True)
class Start:
    """How objects start: where, at least `gap` [m] apart. Shares of them are put `beside` another, `stacked` on one, or `toppled`."""

    region: Region
    gap: float
    beside: float
    stacked: float
    toppled: float


@dataclass(frozen=True)
class SceneWorld:
    """A table with objects on it. Lengths in metres, masses in kg, positions in the table frame, its top at z = 0."""

    name: str
    rig: str
    table_size: tuple[float, float]
    table_centre: tuple[float, float]
    table_colour: tuple[float, float, float]
    table_friction: float
    kinds: Mapping[Kind, float]  # with their weights
    count: tuple[int, int]
    start: Start
    light: Light
    fixtures: tuple[Part, ...]
    friction: tuple[float, float]  # factors, drawn for each scene
    object_friction: tuple[float, float]  # factors, drawn for each object, halves as often as doubles
    mass: tuple[float, float]  # factors, drawn for each object
    off_centre: float  # share of an object's half extents by which its centre of mass may be off

    @property
    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper corner (2,) [m] of its top."""
        centre, half = np.array(self.table_centre), np.array(self.table_size) / 2
        return centre - half, centre + half

    @property
    def fixture_boxes(self) -> np.ndarray:
        """Boxes (F, 6) [m] around the fixtures that can be touched: lower and upper corner of each."""
        solids = [part.solid for part in self.fixtures if part.collides]
        return np.array([[*solid.lower, *solid.upper] for solid in solids]).reshape(-1, 6)

    def draw_bodies(self, rng: np.random.Generator, count: int | None = None) -> list[Body]:
        """Objects of kinds drawn by their weights; `count`: None for a drawn one."""
        number = int(rng.integers(self.count[0], self.count[1] + 1)) if count is None else count
        kinds, weights = list(self.kinds), np.array(list(self.kinds.values()))
        chosen = rng.choice(len(kinds), number, p=weights / weights.sum())
        return [self._resisting(kinds[i].draw(rng, self.off_centre, self.mass), rng) for i in chosen]

    def _resisting(self, body: Body, rng: np.random.Generator) -> Body:
        """With another friction, where the world asks for it."""
        lower, upper = np.log(self.object_friction)
        return (
            replace(body, friction=body.friction * float(np.exp(rng.uniform(lower, upper)))) if lower < upper else body
        )

    def check_reach(self, robot: RobotProfile) -> None:
        """Raise WorldError unless objects start where the robot's tool can be commanded."""
        lower, upper = robot.reach_region.corners
        region = self.start.region
        if (region.lower < lower).any() or (region.upper > upper).any():
            raise WorldError(
                f"{self.name}: start: expected a region within the reach of robot '{robot.name}', {lower.tolist()} to"
                f" {upper.tolist()} m, got {region.lower.tolist()} to {region.upper.tolist()}"
            )


def scenes_dir() -> Path:
    """Folder of the files of scenes."""
    return worlds_dir().parent / "scenes"


def load_scene_world(name_or_path: str | Path) -> SceneWorld:
    """By name (sim_worlds/scenes/NAME.yaml) or by path; raises WorldError or KindError that names file and field."""
    file = Path(name_or_path).expanduser()
    if file.suffix not in (".yaml", ".yml"):
        file = scenes_dir() / f"{name_or_path}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in scenes_dir().glob("*.yaml")))
        raise WorldError(f"expected a file of a scene, {file} does not exist; known scenes: {known}")
    data = load_checked(file, SCHEMA, WorldError)
    table, start, vary = data["table"], data["start"], data.get("randomise", {})
    low, high = data["objects"]["count"]
    if low > high:
        raise WorldError(f"{file}: objects.count: expected lower <= upper, got {[low, high]}")
    world = SceneWorld(
        data["name"],
        data["rig"],
        tuple(table["size"]),
        tuple(table["centre"]),
        tuple(table["colour"]),
        table["friction"],
        {load_kind(_beside(file, name)): weight for name, weight in data["objects"]["kinds"].items()},
        (low, high),
        Start(
            region_of(file, "start", start),
            start["gap"],
            start.get("beside", 0.0),
            start.get("stacked", 0.0),
            start.get("toppled", 0.0),
        ),
        light_of(data),
        tuple(part_of(part) for part in data.get("fixtures", [])),
        _span(file, "randomise.friction", vary.get("friction", [1.0, 1.0])),
        _span(file, "randomise.object_friction", vary.get("object_friction", [1.0, 1.0])),
        _span(file, "randomise.mass", vary.get("mass", [1.0, 1.0])),
        vary.get("off_centre", 0.0),
    )
    lower, upper = world.table
    if (world.start.region.lower < lower).any() or (world.start.region.upper > upper).any():
        raise WorldError(f"{file}: start: expected a region on the table, {lower.tolist()} to {upper.tolist()} m")
    return world


def _beside(file: Path, name: str) -> str | Path:
    """A kind by its name, or by a path relative to the file that names it."""
    return file.parent / name if name.endswith((".yaml", ".yml")) else name


def _span(file: Path, field: str, pair: list[float]) -> tuple[float, float]:
    low, high = pair
    if not 0 < low <= high:
        raise WorldError(f"{file}: {field}: expected 0 < lower <= upper, got {pair}")
    return float(low), float(high)
