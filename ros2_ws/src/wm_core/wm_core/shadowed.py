"""Why a compiled package cannot be imported: most often, because PYTHONPATH brings another one ahead of the environment's."""

import importlib.util
import sys
from pathlib import Path


def why_not(name: str, error: ImportError) -> str:
    """What to say, and to do, when `import name` failed."""
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        found = None
    place = Path(found.origin) if found is not None and found.origin else None
    if place is None or place.is_relative_to(sys.prefix):
        return f"expected '{name}' in the environment {sys.prefix}, cannot import it: {error}; run ./wm doctor"
    return (
        f"expected '{name}' of the environment {sys.prefix}, got {place}, which PYTHONPATH puts ahead of it and which fails: {error};"
        " start through ./wm, which puts the environment's packages first, or: unset PYTHONPATH"
    )
