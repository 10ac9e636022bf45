"""Which version of wm this is."""

import subprocess
from pathlib import Path


def revision() -> str:
    """Git revision of the checkout this runs from, "-dirty" with changes; the package's version elsewhere."""
    folder = Path(__file__).resolve().parent
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
        return found.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "0.1.0"
