"""Parts that a task names: cost terms, explorers and experts, each registered by name in a file of its own.

wm's own parts are the modules of one package, found by looking into it. A task brings more with its `modules`: a name without a dot
is first looked for as a Python file in the task's folder, any other is an installed module. These run as code when the parts are
looked up, so a task file with `modules` is to be trusted like a program; a task file without them, and every bundle, is only data.
"""

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from wm_core.task import Task, TaskError

T = TypeVar("T")


class Parts(Generic[T]):
    """The registry of one kind of parts, e.g. cost terms."""

    def __init__(self, kind: str, package: str) -> None:
        """`kind`: for errors. `package`: dotted name of the package whose modules register wm's own."""
        self.kind = kind
        self._package = package
        self._registered: dict[str, dict[str, type[T]]] = defaultdict(dict)  # by module

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Class decorator: the class is known by `name`; its dataclass fields made with `option` are what a task may set."""

        def keep(kind: type[T]) -> type[T]:
            self._registered[kind.__module__][name] = kind
            return kind

        return keep

    def of(self, task: Task) -> dict[str, type[T]]:
        """All parts that a task may name: wm's own and those of its modules; raises TaskError for names that are taken."""
        folder = importlib.import_module(self._package).__path__
        modules = [importlib.import_module(f"{self._package}.{found.name}") for found in pkgutil.iter_modules(folder)]
        modules += [_module(task, name) for name in task.modules]
        known: dict[str, type[T]] = {}
        for module in modules:
            for name, kind in self._registered.get(module.__name__, {}).items():
                if name in known and known[name] is not kind:
                    raise task.error(
                        "modules",
                        f"{module.__name__}: expected a name of its own for the {self.kind}, '{name}' is taken",
                    )
                known[name] = kind
        return known

    def find(self, task: Task, name: str, where: str) -> type[T]:
        """A part by name; `where`: field of the task that names it. Raises TaskError for an unknown one."""
        known = self.of(task)
        if name not in known:
            raise task.error(where, f"expected a {self.kind} out of {', '.join(sorted(known))}, got '{name}'")
        return known[name]

    def make(self, task: Task, name: str, options: Mapping[str, Any], where: str, /, **given: Any) -> T:
        """A part with the options that the task sets, checked by name, type and range, and with what the caller gives."""
        kind = self.find(task, name, where)
        declared = {entry.name: entry for entry in fields(kind) if "description" in entry.metadata}  # type: ignore[arg-type]
        for key, value in options.items():
            if key not in declared:
                raise task.error(where, f"{name}: expected options out of {sorted(declared)}, got '{key}'")
            entry = declared[key]
            low, high = entry.metadata["lower"], entry.metadata["upper"]
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise task.error(f"{where}.{key}", f"expected a number in {low:g}..{high:g}, got {value!r}")
        values = {key: float(value) for key, value in options.items()}
        return kind(**given, **values)


def option(default: float, description: str, lower: float = 0.0, upper: float = 1e6) -> Any:
    """Dataclass field of a part: a number that a task may set, its default, meaning (with unit) and range."""
    return field(default=default, metadata={"description": description, "lower": lower, "upper": upper})


def options(kind: type) -> dict[str, tuple[Any, str]]:
    """Default and description of each option of a part, by name."""
    declared = [entry for entry in fields(kind) if "description" in entry.metadata]
    assert all(entry.default is not MISSING for entry in declared)
    return {entry.name: (entry.default, entry.metadata["description"]) for entry in declared}


def _module(task: Task, name: str) -> Any:
    """The Python module that a task names, executed once; raises TaskError for one that is not there or fails."""
    file = task.path.parent / f"{name}.py"
    try:
        return _run(file) if "." not in name and file.is_file() else importlib.import_module(name)
    except Exception as error:  # whatever the module of a user raises
        beside = f", no file {file}" if "." not in name and not file.is_file() else ""
        raise task.error("modules", f"cannot import '{name}'{beside}: {error!r}") from error


def _run(file: Path) -> Any:
    """A file as a module under a name of its own, so that files of two tasks may have the same name."""
    content = file.read_bytes()
    name = f"wm_task_{file.stem}_{hashlib.sha256(str(file.resolve()).encode() + content).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise TaskError(f"{file}: expected a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
