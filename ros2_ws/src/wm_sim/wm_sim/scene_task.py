"""Tasks in scenes as data, `scene_tasks/NAME.yaml`: objects, goals, time limit and success, fixed before anything is trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wm_core.checked_yaml import load_checked
from wm_core.paths import tasks_dir
from wm_core.specs_schema import AXES
from wm_core.task import TaskError
from wm_sim.kinds import Kind, load_kind
from wm_sim.scene_world import SceneWorld, load_scene_world

PERIOD = 0.1  # [s] of a step
LIMIT = np.array([0.03, 0.03, 0.03, 0.3, 0.3, 0.04])  # [m, rad] largest displacement of the tool in a step, by AXES

_NAME = {"type": "string", "minLength": 1}
_NUMBER = {"type": "number"}
_RANGE = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}
_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_KINDS = {"type": "array", "items": _NAME, "minItems": 1}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["description", "world", "axes", "objects", "goals", "success", "time_limit"],
    "additionalProperties": False,
    "properties": {
        "description": {"type": "string"},
        "world": _NAME,
        "axes": {"type": "array", "items": {"enum": list(AXES)}, "minItems": 1, "uniqueItems": True},
        "objects": {
            "type": "array",
            "minItems": 1,
            "maxItems": 6,
            "items": {
                "type": "object",
                "required": ["name", "kinds"],
                "additionalProperties": False,
                "properties": {
                    "name": _NAME,
                    "kinds": _KINDS,
                    "toppled": {"type": "boolean"},
                    "fixed": {"type": "boolean"},
                },
            },
        },
        "goals": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["object"],
                "additionalProperties": False,
                "properties": {
                    "object": _NAME,
                    "distance": _RANGE,
                    "turn_deg": _RANGE,
                    "onto": _NAME,
                    "into": _NAME,
                    "upright": {"const": True},
                    "stays": {"const": True},
                },
                "oneOf": [
                    {"required": ["distance"]},
                    {"required": ["onto"]},
                    {"required": ["into"]},
                    {"required": ["upright"]},
                    {"required": ["stays"]},
                ],
            },
        },
        "start": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "gap": _POSITIVE,
                "between": {"type": "boolean"},
                "slide": {
                    "type": "object",
                    "required": ["object", "speed"],
                    "additionalProperties": False,
                    "properties": {"object": _NAME, "speed": _RANGE},
                },
            },
        },
        "success": {
            "type": "object",
            "required": ["tolerance"],
            "additionalProperties": False,
            "properties": {"tolerance": _POSITIVE, "yaw_tolerance": _POSITIVE, "others": _POSITIVE},
        },
        "time_limit": _POSITIVE,
        "weights": {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}},
    },
}


@dataclass(frozen=True)
class TaskObject:
    """An object that is drawn of one of some kinds."""

    name: str
    kinds: tuple[Kind, ...]
    toppled: bool
    fixed: bool  # nothing moves it: a box to put objects into


@dataclass(frozen=True)
class TaskGoal:
    """Of one object; what is not asked for is None."""

    object: str
    distance: tuple[float, float] | None  # [m] from its start
    turn: tuple[float, float] | None  # [rad] from its start, either way
    on: str | None
    within: str | None
    upright: bool
    stays: bool  # on the table


@dataclass(frozen=True)
class SceneSuccess:
    """In truth: [m], [rad]; `others`: that those without a goal may have moved [m]."""

    tolerance: float
    yaw_tolerance: float
    others: float


@dataclass(frozen=True)
class SceneTask:
    """A checked file."""

    path: Path
    description: str
    world: SceneWorld
    axes: tuple[str, ...]  # of the tool that may be used
    objects: tuple[TaskObject, ...]
    goals: tuple[TaskGoal, ...]
    gap: float  # [m] between objects at the start
    between: bool  # something stands between the first object and its goal, or beside that way
    slide: tuple[str, tuple[float, float]] | None  # an object that slides towards an edge at first, its speed [m/s]
    success: SceneSuccess
    time_limit: float  # [s]
    weights: Mapping[str, float] | None

    @property
    def name(self) -> str:
        return self.path.stem

    def error(self, field: str, message: str) -> TaskError:
        """An error that names the file and a field of it."""
        return TaskError(f"{self.path}: {field}: {message}")


def scene_tasks_dir() -> Path:
    """Folder of the files of tasks in scenes."""
    return tasks_dir().parent / "scene_tasks"


def scene_task_names() -> list[str]:
    return sorted(path.stem for path in scene_tasks_dir().glob("*.yaml"))


def load_scene_task(name_or_path: str | Path) -> SceneTask:
    """By name (scene_tasks/NAME.yaml) or by path; raises TaskError, WorldError or KindError that names file and field."""
    file = Path(name_or_path).expanduser()
    if file.suffix not in (".yaml", ".yml"):
        file = scene_tasks_dir() / f"{name_or_path}.yaml"
    if not file.is_file():
        raise TaskError(f"expected a task, {file} does not exist; known tasks: {', '.join(scene_task_names())}")
    data = load_checked(file, SCHEMA, TaskError)
    objects = tuple(
        TaskObject(
            each["name"],
            tuple(load_kind(kind) for kind in each["kinds"]),
            each.get("toppled", False),
            each.get("fixed", False),
        )
        for each in data["objects"]
    )
    goals = tuple(_goal(each) for each in data["goals"])
    names = [each.name for each in objects]
    if len(set(names)) < len(names):
        raise TaskError(f"{file}: objects: expected different names, got {names}")
    for number, goal in enumerate(goals):
        for name in filter(None, (goal.object, goal.on, goal.within)):
            if name not in names:
                raise TaskError(f"{file}: goals.{number}: expected an object out of {names}, got '{name}'")
    start, success = data.get("start", {}), data["success"]
    slide = start.get("slide")
    if slide is not None and slide["object"] not in names:
        raise TaskError(f"{file}: start.slide.object: expected an object out of {names}, got '{slide['object']}'")
    return SceneTask(
        file.absolute(),
        data["description"],
        load_scene_world(data["world"]),
        tuple(data["axes"]),
        objects,
        goals,
        start.get("gap", 0.03),
        start.get("between", False),
        None if slide is None else (slide["object"], tuple(slide["speed"])),
        SceneSuccess(success["tolerance"], success.get("yaw_tolerance", np.inf), success.get("others", np.inf)),
        float(data["time_limit"]),
        data.get("weights"),
    )


def _goal(data: Mapping[str, Any]) -> TaskGoal:
    turn = data.get("turn_deg")
    return TaskGoal(
        data["object"],
        tuple(data["distance"]) if "distance" in data else None,
        (float(np.radians(turn[0])), float(np.radians(turn[1]))) if turn else None,
        data.get("onto"),
        data.get("into"),
        data.get("upright", False),
        data.get("stays", False),
    )
