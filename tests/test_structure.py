"""What tools/structure.py counts."""

import ast
from pathlib import Path

import pytest

import structure


@pytest.mark.parametrize(
    ("code", "counted"),
    [
        ("p[..., 0]", True),
        ("p[..., :2]", True),
        ("p[:, 2:4]", True),
        ("p[i, :2]", True),
        ("p[:2]", True),
        ("p[0:3]", True),
        ("names[0]", False),
        ("K[0, 2]", False),
        ("p[:-1]", False),
        ("p[1:]", False),
        ("p[:1]", False),
        ("text[:60]", False),
        ("p[..., X]", False),
        ("p[i, j]", False),
        ("p[::2]", False),
    ],
)
def test_which_subscripts_name_an_axis(code: str, counted: bool):
    assert structure.axes(ast.parse(code)) == ({1} if counted else set())


def test_a_checkout_is_counted_by_room(tmp_path: Path):
    files = {
        "wm_a/wm_a/__init__.py": "",
        "wm_a/wm_a/one.py": "import wm_b.two\nfrom wm_a import x\n\ndef f(p):\n    return p[..., :2], p[:, 0]\n",
        "wm_a/wm_a/deep/two.py": "ARM = 'panda_joint1'  # of a Panda\nHAND = 'ur5e'\n",
        "wm_b/wm_b/two.py": "import numpy\n",
        "wm_b/test/test_two.py": "import wm_a\n",
    }
    for name, text in files.items():
        path = tmp_path / "ros2_ws/src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for package in ("wm_a", "wm_b"):
        (tmp_path / f"ros2_ws/src/{package}/package.xml").write_text("<package/>")
    found = structure.measure(tmp_path)
    first, second = found["wm_a"], found["wm_b"]
    assert (first.modules, first.at_root, first.lines, first.longest) == (2, 1, 7, 5)
    assert first.imports == {"wm_b": 1} and not second.imports
    assert (first.axes, first.robots, first.parts) == (1, 2, 1)
    assert "| all | 3 | 2 | 8 | 5 | 1 | 2 | 1 |" in structure.report(found)
