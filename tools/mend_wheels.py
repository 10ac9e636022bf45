"""Mends the CMake files of the ROS 2 wheels: they carry the paths of the machine they were built on.

Run with the Python of the virtual environment; safe to run again. Prints how many files were changed.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from pathlib import Path

# What the wheels carry, for example /opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include
_INCLUDE = re.compile(r"/opt/python/cp\d+-cp\d+/include/python3\.\d+")
_SITE_PACKAGES = re.compile(r"/opt/python/cp\d+-cp\d+/lib/python3\.\d+/site-packages")


def mend_text(text: str, include: str, site_packages: str) -> str:
    """Returns `text` with the baked folders replaced by the `include` and `site_packages` of this Python."""
    # A function as replacement: a backslash in a path is not an escape.
    text = _INCLUDE.sub(lambda _: include, text)
    return _SITE_PACKAGES.sub(lambda _: site_packages, text)


def mend(prefix: Path, include: str, site_packages: str) -> int:
    """Mends every `share/*/cmake/*.cmake` below `prefix`, each file atomically; returns how many were changed."""
    changed = 0
    for path in sorted(prefix.glob("share/*/cmake/*.cmake")):
        before = path.read_text()
        after = mend_text(before, include, site_packages)
        if after != before:
            temporary = path.with_suffix(".mend")
            temporary.write_text(after)
            os.replace(temporary, path)
            changed += 1
    return changed


def main() -> int:
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").is_file():
        print(f"expected the C headers of Python in {include}, found none: install python3-dev", file=sys.stderr)
        return 1
    print(f"{mend(Path(sys.prefix), str(include), sysconfig.get_path('purelib'))} files mended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
