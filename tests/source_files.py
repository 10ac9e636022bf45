"""The source of all packages, as the tests of its rules read it."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted(path.parent for path in (ROOT / "ros2_ws/src").glob("*/package.xml"))
PYTHON_PACKAGES = [package for package in PACKAGES if (package / "setup.py").is_file()]


def imports(path: Path) -> set[str]:
    """Returns the dotted names of the modules that a file imports."""
    found = set()
    for statement in ast.walk(ast.parse(path.read_text())):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            found |= {statement.module or ""} | {f"{statement.module}.{alias.name}" for alias in statement.names}
    return found


def sources(package: Path) -> list[Path]:
    return sorted((package / package.name).rglob("*.py"))


def names(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}
