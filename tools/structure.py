"""The structure of a checkout in figures: modules of each room, imports between rooms, axes named by number, robots named in code.

What is counted, in Python outside tests and data:
- modules: files that are not empty; at root: those of a package that lie in no folder of it; lines: all of them;
- imports: modules of a room that import another room;
- axes by number: lines with a subscript that picks components by a literal (`p[..., 0]`, `p[:, 2:4]`, `p[i, :2]`, `p[:2]`). Elements of a
  matrix (`K[0, 2]`), a lone number (`names[0]`) and what counts from the end (`p[:-1]`) are not;
- robots: lines that name one (a folder of wm_description/robots, or one of ROBOTS); of these, links and joints.
"""

import argparse
import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROBOTS = ("panda", "franka", "xarm", "iiwa", "ur5e")
LONGEST_VECTOR = 7  # a slice that ends farther on is no pick of components
PARTS = ("joint", "link", "hand", "finger", "flange", "tcp")


@dataclass
class Room:
    """What a folder of modules comes to."""

    modules: int = 0
    at_root: int = 0
    lines: int = 0
    longest: int = 0
    imports: Counter[str] = field(default_factory=Counter)  # room -> modules that import it
    axes: int = 0
    robots: int = 0
    parts: int = 0  # of robots: joints and links


def rooms(root: Path) -> dict[str, Path]:
    """Folders of Python by name: the packages, then what is beside them."""
    packages = sorted(path.parent for path in (root / "ros2_ws/src").glob("*/package.xml"))
    found = {package.name: package / package.name for package in packages if (package / package.name).is_dir()}
    return found | {name: root / name for name in ("bench", "tools") if (root / name).is_dir()}


def sources(folder: Path) -> Iterator[Path]:
    """Modules that are neither empty nor tests."""
    for path in sorted(folder.rglob("*.py")):
        if path.stat().st_size and not path.stem.endswith("_test") and not path.stem.startswith("test_"):
            yield path


def imported(tree: ast.AST) -> set[str]:
    """First parts of the names of all imported modules."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def names_axis(index: ast.expr) -> bool:
    """Whether a subscript picks components by number."""
    if isinstance(index, ast.Tuple):
        *others, last = index.elts
        if not others or all(number(other) is not None for other in others):
            return False
        return number(last) is not None or (isinstance(last, ast.Slice) and picks(last))
    return isinstance(index, ast.Slice) and picks(index)


def picks(part: ast.Slice) -> bool:
    """`:2`, `2:4`: literals, more than one component, few enough for a vector."""
    lower, upper = number(part.lower) if part.lower else 0, number(part.upper) if part.upper else None
    return part.step is None and lower is not None and upper is not None and 2 <= upper <= LONGEST_VECTOR


def number(node: ast.expr | None) -> int | None:
    """The value of a literal that counts from the beginning, or None."""
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None


def axes(tree: ast.AST) -> set[int]:
    """Lines that name an axis by number."""
    return {node.lineno for node in ast.walk(tree) if isinstance(node, ast.Subscript) and names_axis(node.slice)}


def measure(root: Path) -> dict[str, Room]:
    """The rooms of a checkout."""
    folders = rooms(root)
    shipped = (path.name for path in (root / "ros2_ws/src/wm_description/robots").glob("*") if path.is_dir())
    robot = re.compile("|".join({*ROBOTS, *shipped}), re.IGNORECASE)
    part = re.compile(rf"({robot.pattern})\w*({'|'.join(PARTS)})", re.IGNORECASE)
    result = {}
    for name, folder in folders.items():
        room = result[name] = Room()
        for path in sources(folder):
            text = path.read_text()
            tree, lines = ast.parse(text), text.splitlines()
            room.modules += 1
            room.at_root += path.parent == folder
            room.lines += len(lines)
            room.longest = max(room.longest, len(lines))
            room.imports.update((imported(tree) & folders.keys()) - {name})
            room.axes += len(axes(tree))
            room.robots += sum(bool(robot.search(line)) for line in lines)
            room.parts += sum(bool(part.search(line)) for line in lines)
    return result


def report(found: dict[str, Room]) -> str:
    """Tables of all rooms and of the imports between them."""
    columns = ("modules", "at root", "lines", "longest", "axes by number", "robots named", "joints, links")
    rows = [
        (name, room.modules, room.at_root, room.lines, room.longest, room.axes, room.robots, room.parts)
        for name, room in found.items()
    ]
    sums = [sum(row[i] for row in rows) for i in range(1, len(columns) + 1)]  # type: ignore[misc]
    sums[3] = max(room.longest for room in found.values())
    lines = ["| room | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in [*rows, ("all", *sums)]]
    pairs = sum(len(room.imports) for room in found.values())
    lines += [
        "",
        f"Imports between rooms ({pairs} pairs, {sum(sum(r.imports.values()) for r in found.values())} modules):",
        "",
    ]
    for name, room in found.items():
        if room.imports:
            lines.append(f"- {name}: " + ", ".join(f"{other} {count}" for other, count in sorted(room.imports.items())))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, nargs="?", default=ROOT, help="a checkout (default: this one)")
    print(report(measure(parser.parse_args().root)))


if __name__ == "__main__":
    main()
