"""What is particular to a robot, a task or a world is data, and stands in no Python; numbers in a README are those of the code."""

import ast
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import source_files
import yaml

from wm_core.kinematics import CAUTIOUS_ACCELERATION, CAUTIOUS_JERK

ROOT, PYTHON_PACKAGES, sources = source_files.ROOT, source_files.PYTHON_PACKAGES, source_files.sources


def literals(path: Path) -> list[ast.Constant]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]


def number(node: ast.AST) -> float | None:
    """The value of a literal number, with its sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = number(node.operand)
        return None if value is None else -value
    return node.value if isinstance(node, ast.Constant) and type(node.value) in (int, float) else None


def written() -> list[Path]:
    """Python that is neither data nor a test."""
    code = [path for package in PYTHON_PACKAGES for path in sources(package)]
    code += [path for package in PYTHON_PACKAGES for path in (package / "scripts").glob("*.py")]
    return code + [path for path in (ROOT / "bench").glob("*.py") if not path.stem.endswith("_test")]


def test_no_joint_or_link_of_a_robot_is_named_in_python():
    """They stand in its profile and URDF; `pusher` is the tool that wm itself brings along, the rest are words of ROS."""
    common = {"world", "base_link", "base", "flange", "tool0", "pusher"}
    parts: set[str] = set()
    for file in (ROOT / "ros2_ws/src/wm_description/robots").glob("*/*.urdf"):
        root = ElementTree.parse(file).getroot()
        parts |= {part.get("name", "") for part in [*root.findall("link"), *root.findall("joint")]} - common
    parts |= {re.sub(r"\d+$", "", part) for part in parts if re.search(r"_\w*\d+$", part)}  # f"panda_joint{i}"
    pattern = re.compile(r"(?<![A-Za-z0-9_])(?:" + "|".join(sorted(map(re.escape, parts))) + r")(?![A-Za-z0-9_])")
    found = {
        f"{path}:{text.lineno}: {name}"
        for path in written()
        for text in literals(path)
        if isinstance(text.value, str)
        for name in pattern.findall(text.value)
    }
    assert not found


def test_no_box_of_a_table_stands_in_python():
    """Where tools, objects and goals may be is in the files of robots, worlds and tasks."""
    boxes = set()
    for file in (ROOT / "ros2_ws/src/wm_description/robots").glob("*/profile.yaml"):
        reach, space = (yaml.safe_load(file.read_text())[name] for name in ("reach", "workspace"))
        for box in (reach, space):
            boxes |= {(box["x"][end], box["y"][end]) for end in (0, 1)} | {tuple(box["x"]), tuple(box["y"])}
    for file in (ROOT / "sim_worlds/worlds").glob("*.yaml"):
        world = yaml.safe_load(file.read_text())
        boxes |= {tuple(world["table"]["size"]), tuple(world["table"]["centre"])}
        boxes |= {tuple(world[region][corner]) for region in ("start", "goal") for corner in ("lower", "upper")}
    found = []
    for path in written():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Tuple | ast.List):
                values = [number(element) for element in node.elts]
                pairs = set(zip(values, values[1:], strict=False)) & boxes
                found += [f"{path}:{node.lineno}: {pair}" for pair in pairs]
    assert not found


# A latent's, readout's or embedding's numbers have names (wm_core.layout); families build theirs from a StateSpec.
@pytest.mark.parametrize("package", PYTHON_PACKAGES, ids=lambda package: package.name)
def test_no_constant_says_where_a_number_lies(package: Path):
    for path in sources(package):
        places = [
            call.lineno
            for call in ast.walk(ast.parse(path.read_text()))
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == "slice"
            and any(
                isinstance(bound, ast.Constant) and isinstance(bound.value, int) and bound.value for bound in call.args
            )
        ]
        assert not places, f"{path}: slices by number in the lines {places}"


def test_the_readme_says_what_the_guard_takes_where_a_profile_gives_no_limits():
    text = (ROOT / "ros2_ws/src/wm_description/README.md").read_text()
    (said,) = re.findall(r"or the guard takes (\d+) rad/s² and (\d+) rad/s³", text)
    assert tuple(map(float, said)) == (CAUTIOUS_ACCELERATION, CAUTIOUS_JERK)
