"""How much memory each node has, and whether that grows.

USS: the unique set size, what would be free without the process. It changes with who else uses the same libraries, as when another
node is started anew. Anonymous: what the process has asked for itself.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from _common import table
from _results import Line

SETTLED_S = 300.0  # of life, in which a process may still grow
LONG_S = 600.0  # of life from which on growth says something
SUPERVISOR = "wm_lifecycle_manager"
MIB = 2**20


def memory(pids: Mapping[str, int], now: float) -> dict[str, dict[str, Any]]:
    """Of each node that lives: `pid`, `uss_mib`, `anonymous_mib` and `age_s`; `now`: time since the epoch [s]."""
    found = {}
    for name, pid in sorted(pids.items()):
        with suppress(psutil.Error, OSError, ValueError):  # also of a zombie, which has no memory
            process = psutil.Process(pid)
            found[name] = {
                "pid": pid,
                "uss_mib": process.memory_full_info().uss / MIB,
                "anonymous_mib": _anonymous_mib(pid),
                "age_s": now - process.create_time(),
            }
    return found


def _anonymous_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (kib,) = (int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))
    return kib / 1024


def growth(lines: Iterable[Line], kind: str = "anonymous_mib") -> list[tuple[str, int, float, float, float]]:
    """Of each process of at least LONG_S: node, pid, minutes of life, and its memory after SETTLED_S and at last [MiB]; `kind`: the
    other is uss_mib.
    """
    lives: dict[tuple[str, str, int], list[tuple[float, float]]] = {}
    for line in lines:
        result = line["result"]
        for name, each in (result.get("memory") or {}).items():
            lives.setdefault((name, result["launch"], each["pid"]), []).append((each["age_s"], each[kind]))
    rows = []
    for (name, _, pid), life in sorted(lives.items()):
        life.sort()
        settled = [mib for age, mib in life if age >= SETTLED_S]
        if life[-1][0] >= LONG_S:
            rows.append((name, pid, life[-1][0] / 60, settled[0], life[-1][1]))
    return rows


def supervisor_ends(lines: Iterable[Line]) -> int:
    """How often the supervisor was another process than at the fault before, without one that is meant to end it."""
    count, before = 0, {}
    for line in sorted(
        lines, key=lambda line: (line["result"].get("launch") or "", line["result"].get("launched_s") or 0)
    ):
        found = (line["result"].get("memory") or {}).get(SUPERVISOR)
        launch, meant = line["result"].get("launch"), SUPERVISOR in line["fault"]
        if found is None:  # it is being started anew
            if meant and launch in before:
                before[launch] = before[launch][0], True
            continue
        pid, excused = before.get(launch, (found["pid"], True))
        count += pid != found["pid"] and not meant and not excused
        before[launch] = found["pid"], meant
    return count


def soak_table(lines: list[Line]) -> str:
    """Memory of the processes that lived long; empty where none did."""
    uss = {row[:2]: row[3:] for row in growth(lines, "uss_mib")}
    rows = [
        (name, pid, f"{minutes:.0f}", *_grown(first, last), *_grown(*uss[name, pid]))
        for name, pid, minutes, first, last in growth(lines)
    ]
    if not rows:
        return ""
    longest = max(line["result"].get("launched_s") or 0 for line in lines) / 60
    since = f"after {SETTLED_S / 60:.0f} minutes"
    header = (
        "node",
        "process",
        "minutes of life",
        f"MiB {since}",
        "at last",
        "growth",
        f"USS {since}",
        "at last",
        "growth",
    )
    return (
        f"Memory of processes that lived for at least {LONG_S / 60:.0f} minutes:\n\n{table(header, rows)}\n\nLongest launch:"
        f" {longest:.0f} minutes. The supervisor ended without a fault that is meant to end it: {supervisor_ends(lines)} times."
    )


def _grown(first: float, last: float) -> tuple[str, str, str]:
    return f"{first:.1f}", f"{last:.1f}", f"{100 * (last / first - 1):+.1f} %"
