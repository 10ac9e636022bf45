"""Tasks as data: what is to be done with which actions, where, how it is judged. Read from wm_tasks/tasks/NAME.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wm_core.checked_yaml import load_checked
from wm_core.paths import tasks_dir
from wm_core.specs import ActionSpec, SpecError
from wm_core.task_schema import SCHEMA

DEFAULT_TASK = "push"


class TaskError(ValueError):
    """A task that cannot be used: names the file and the field, says what was expected and what came."""


@dataclass(frozen=True)
class Region:
    """A box of places [m] in the table frame, along named axes."""

    axes: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]

    @property
    def corners(self) -> np.ndarray:
        """Lower and upper corner (2, n)."""
        return np.array([self.lower, self.upper])

    @property
    def centre(self) -> np.ndarray:
        """(n,)"""
        return self.corners.mean(0)

    def contains(self, places: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Whether places (..., n) lie inside (...,), or at most `margin` [m] outside; NaN does not."""
        low, high = self.corners
        return ((places >= low - margin) & (places <= high + margin)).all(-1)

    def __str__(self) -> str:
        spans = zip(self.axes, self.lower, self.upper, strict=True)
        return ", ".join(f"{axis} {low:g}..{high:g}" for axis, low, high in spans) + " m"


@dataclass(frozen=True)
class ExploringRegions:
    """Where a robot explores by itself; the task file says what each is for."""

    places: Region
    objects: Region
    middle: Region
    strayed: Region
    lost: Region


@dataclass(frozen=True)
class Regions:
    """Where goals are accepted, objects start and goals are drawn, and objects should stay."""

    goals: Region
    practice: Region
    objects: Region
    exploring: ExploringRegions | None


@dataclass(frozen=True)
class Success:
    """When a goal is reached in belief, and when an episode counts as a success in truth."""

    tolerance: float  # [m] of the believed object
    cycles: int  # in a row within the tolerance
    distance: float  # [m] of the true object


@dataclass(frozen=True)
class Part:
    """An explorer or an expert: its registered name and the options that the task sets."""

    name: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """A checked task file. Parts (cost terms, explorer, expert) are found by name with `wm_core.parts`."""

    path: Path
    description: str
    rate: float  # [Hz] control periods
    action: ActionSpec
    goal_axes: tuple[str, ...]  # of the object, that a goal is about
    regions: Regions
    costs: Mapping[str, Mapping[str, Any]]  # weight and options of each cost term, in the order in which they are added
    success: Success
    time_limit: float  # [s] for one goal
    explorer: Part | None
    expert: Part | None
    modules: tuple[str, ...]  # of Python, that bring parts of this task's own

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def step_duration(self) -> float:
        """[s] of a control period."""
        return 1 / self.rate

    @property
    def step_ns(self) -> int:
        """[ns] of a control period."""
        return round(1e9 / self.rate)

    @property
    def max_steps(self) -> int:
        """Control periods within the time limit."""
        return round(self.time_limit * self.rate)

    @property
    def exploring(self) -> ExploringRegions:
        """Regions of exploring; raises TaskError for a task that has none."""
        if self.regions.exploring is None:
            raise self.error("regions.exploring", "expected regions for exploring by itself, found none; add them")
        return self.regions.exploring

    def error(self, field: str, message: str) -> TaskError:
        """An error that names the file and a field of it."""
        return TaskError(f"{self.path}: {field}: {message}")


def load_task(name_or_path: str | Path = DEFAULT_TASK) -> Task:
    """Read a task by name (wm_tasks/tasks/NAME.yaml) or by the path of its file; raises TaskError naming file and field.

    Nothing is executed here: the Python modules that a task names run when its parts are looked up.
    """
    file = task_path(name_or_path)
    try:
        data = load_checked(file, SCHEMA, TaskError)
    except OSError as error:
        raise TaskError(f"expected a task file, cannot read {file}: {error.strerror}; known are {_known()}") from error
    try:
        action = ActionSpec.from_dict(data["action"])
    except SpecError as error:
        raise TaskError(f"{file}: {error}") from error
    task = Task(
        path=file,
        description=data["description"],
        rate=float(data["rate"]),
        action=action,
        goal_axes=tuple(data["goal"]["axes"]),
        regions=_regions(file, data["regions"]),
        costs=data["costs"],
        success=Success(**data["success"]),
        time_limit=float(data["time_limit"]),
        explorer=_part(data.get("explorer")),
        expert=_part(data.get("expert")),
        modules=tuple(data.get("modules", ())),
    )
    if task.success.tolerance > task.success.distance:
        raise task.error("success", f"expected a tolerance of at most the distance, got {data['success']}")
    return task


def task_path(name_or_path: str | Path) -> Path:
    """The file of a task by name or path."""
    file = Path(name_or_path).expanduser()
    return file.absolute() if file.suffix in (".yaml", ".yml") else tasks_dir() / f"{name_or_path}.yaml"


def _known() -> str:
    return ", ".join(sorted(file.stem for file in tasks_dir().glob("*.yaml")))


def _regions(file: Path, data: Mapping[str, Any]) -> Regions:
    def region(field: str, spans: Mapping[str, list[float]]) -> Region:
        for axis, (low, high) in spans.items():
            if not low < high:
                raise TaskError(f"{file}: regions.{field}.{axis}: expected lower < upper, got {low} and {high}")
        axes = tuple(axis for axis in ("x", "y", "z") if axis in spans)
        lower, upper = ([float(spans[axis][end]) for axis in axes] for end in (0, 1))
        return Region(axes, tuple(lower), tuple(upper))

    found = {name: region(name, data[name]) for name in ("goals", "practice", "objects")}
    own = data.get("exploring")
    exploring = {name: region(f"exploring.{name}", spans) for name, spans in own.items()} if own else None
    return Regions(**found, exploring=ExploringRegions(**exploring) if exploring else None)


def _part(data: Mapping[str, Any] | None) -> Part | None:
    if data is None:
        return None
    return Part(data["name"], {name: value for name, value in data.items() if name != "name"})
