"""Parts of tasks: found by name in a package and beside the task file, their options checked."""

from dataclasses import dataclass
from types import ModuleType

import pytest

from wm_core.parts import Parts, option, options
from wm_core.task import TaskError, load_task, task_path

OWN = """
from dataclasses import dataclass
from wm_core.parts import option
from shapes_of_test import SHAPES

@SHAPES.register("{name}")
@dataclass
class Own:
    size: float = option(2.0, "[m] side")
"""


@pytest.fixture
def shapes(monkeypatch, tmp_path):
    """A registry whose package has one module, with the part `round`."""
    package = tmp_path / "package/shapes_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "ball.py").write_text(OWN.format(name="round"))
    registry = ModuleType("shapes_of_test")
    registry.SHAPES = Parts("shape", "shapes_package")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setitem(__import__("sys").modules, "shapes_of_test", registry)
    for name in ("shapes_package", "shapes_package.ball"):
        monkeypatch.delitem(__import__("sys").modules, name, raising=False)
    return registry.SHAPES


@pytest.fixture
def task(tmp_path):
    """Makes tasks that name modules, which `files` are written for."""

    def make(*modules, **files):
        for name, content in files.items():
            (tmp_path / f"{name}.py").write_text(content)
        file = tmp_path / "mine.yaml"
        file.write_text(task_path("push").read_text() + f"\nmodules: {list(modules)}\n")
        return load_task(file)

    return make


def test_a_file_in_the_package_is_a_part(shapes, task):
    assert set(shapes.of(task())) == {"round"}
    part = shapes.make(task(), "round", {"size": 3}, "shape")
    assert part.size == 3.0 and isinstance(part.size, float)
    assert options(type(part)) == {"size": (2.0, "[m] side")}


def test_a_file_beside_the_task_brings_parts_of_its_own(shapes, task):
    own = task("corners", corners=OWN.format(name="square"))
    assert set(shapes.of(own)) == {"round", "square"}
    assert set(shapes.of(task())) == {"round"}, "other tasks do not know them"


def test_a_file_is_run_once_and_again_when_it_has_changed(shapes, task):
    own = task("corners", corners=OWN.format(name="square"))
    assert shapes.of(own)["square"] is shapes.of(own)["square"]
    assert set(shapes.of(task("corners", corners=OWN.format(name="triangle")))) == {"round", "triangle"}


def test_an_installed_module_brings_parts_as_well(shapes, task, tmp_path):
    (tmp_path / "package/installed_shapes.py").write_text(OWN.format(name="oval"))
    assert set(shapes.of(task("installed_shapes"))) == {"round", "oval"}


@pytest.mark.parametrize(
    ("modules", "files", "expected"),
    [
        (["missing"], {}, "modules: cannot import 'missing', no file .*missing.py"),
        (["bad"], {"bad": "1 / 0"}, "modules: cannot import 'bad'.*ZeroDivisionError"),
        (["taken"], {"taken": OWN.format(name="round")}, "modules: .*'round' is taken"),
    ],
)
def test_modules_that_bring_nothing_usable_are_refused(shapes, task, modules, files, expected):
    with pytest.raises(TaskError, match=rf"mine.yaml: {expected}"):
        shapes.of(task(*modules, **files))


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("flat", {}, "shape: expected a shape out of round, got 'flat'"),
        ("round", {"colour": 1}, r"shape: round: expected options out of \['size'\], got 'colour'"),
        ("round", {"size": "big"}, "shape.size: expected a number in 0..1e[+]06, got 'big'"),
        ("round", {"size": True}, "shape.size: expected a number"),
        ("round", {"size": -1.0}, "shape.size: expected a number in"),
        ("round", {"size": float("nan")}, "shape.size: expected a number in"),
    ],
)
def test_unknown_parts_and_options_are_refused_by_name(shapes, task, name, given, expected):
    with pytest.raises(TaskError, match=rf"mine.yaml: {expected}"):
        shapes.make(task(), name, given, "shape")


def test_what_the_caller_gives_is_no_option_of_the_task(shapes, task):
    @dataclass
    class Given:
        seed: int
        size: float = option(1.0, "[m] side")

    assert list(options(Given)) == ["size"]
