"""Writes constraints.txt: exact versions of everything that the requirement files pull in, for each Python.

    python tools/lock.py python3.10 python3.11 python3.12 python3.13

Resolves in the named Pythons (nothing is installed). What torch pulls in is left to pip: it differs with the build.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = (
    "requirements.txt",
    "requirements-colcon.txt",
    "requirements-ros.txt",
    "requirements-dev.txt",
    "requirements-bench.txt",
)
_UNPINNED = ("nvidia-", "cuda-", "triton")


def resolve(python: str) -> dict[str, str]:
    """Returns name -> version (without a local part such as +cpu) of what pip would install in `python`."""
    command = [python, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    for name in FILES:
        command += ["-r", str(ROOT / name)]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    found = {item["metadata"]["name"]: item["metadata"]["version"].split("+")[0] for item in report["install"]}
    return {name: version for name, version in found.items() if not name.startswith(_UNPINNED)}


def merge(resolved: dict[str, dict[str, str]]) -> list[str]:
    """Returns sorted constraint lines for `resolved` (Python version "3.11" -> name -> version)."""
    lines = []
    for name in sorted({name for versions in resolved.values() for name in versions}, key=str.lower):
        pythons: dict[str, list[str]] = {}
        for python, versions in resolved.items():
            if name in versions:
                pythons.setdefault(versions[name], []).append(python)
        if len(pythons) == 1:
            lines.append(f"{name}=={next(iter(pythons))}")
            continue
        for version, where in sorted(pythons.items()):
            marker = " or ".join(f'python_version == "{python}"' for python in sorted(where))
            lines.append(f"{name}=={version}; {marker}")
    return lines


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    resolved = {}
    for python in sys.argv[1:]:
        script = "import sys; print('%d.%d' % sys.version_info[:2])"
        version = subprocess.run([python, "-c", script], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        resolved[version] = resolve(python)
    text = "# Written by tools/lock.py; do not edit.\n" + "\n".join(merge(resolved)) + "\n"
    (ROOT / "constraints.txt").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
