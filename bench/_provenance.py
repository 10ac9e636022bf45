"""What a figure depends on: the code, the bundle, the machine, and how it was asked for."""

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from wm_core.bundle import sha256
from wm_core.revision import revision

ROOT = Path(__file__).resolve().parents[1]
# What no figure depends on. Committing results, or writing about them, does not make them old.
NO_CODE = (":(exclude)bench/results", ":(exclude)docs", ":(exclude)*.md")


def commit(root: Path = ROOT) -> str:
    """The last commit that changed code. With changes since, `+` and a hash of them follow, so that different changes differ."""
    try:
        found = _git(root, "log", "-1", "--format=%h", "--abbrev=10", "--", ".", *NO_CODE).decode().strip()
        changes = _git(root, "diff", "HEAD", "--", ".", *NO_CODE)
        new = _git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", ".", *NO_CODE)
    except (OSError, subprocess.SubprocessError):
        return revision()
    digest = hashlib.sha256(changes)
    for name in filter(None, new.split(b"\0")):
        digest.update(name + b"\0" + (root / os.fsdecode(name)).read_bytes())
    return f"{found}+{digest.hexdigest()[:6]}" if changes or new else found


def _git(root: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, timeout=20, check=True).stdout


def bundle_facts(folder: Path) -> dict[str, str]:
    """Id of a bundle, and the start of its checksum, because an id can be given twice."""
    file = folder / "bundle.yaml"
    return {"bundle": str(yaml.safe_load(file.read_text())["id"]), "bundle_sha256": sha256(file)[:10]}


def machine() -> dict[str, Any]:
    """Processor and number of cores that this process may use."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": model, "cores": cores}


def command(name: str, arguments: Sequence[str] | None = None) -> str:
    """How the benchmark was started, without folders of this machine and without where figures go."""
    words, given = ["./wm", "bench", name], iter(sys.argv[1:] if arguments is None else arguments)
    for word in given:
        if word in ("--json", "--results"):
            next(given, None)
        elif word != "--fresh" and not word.startswith(("--json=", "--results=")):
            words.append(Path(word).name if word.startswith("/") else word)
    return " ".join(words)
