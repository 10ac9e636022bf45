"""List the bundles of the registry.

Bundles as a tree of what was trained from what, a line each, and the newest events. Without torch and ROS, so that a
robot can do it.
"""

import argparse

from wm_core.registry import Registry, State


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(options: argparse.Namespace) -> int:
    print(listed(Registry()))
    return 0


def listed(registry: Registry) -> str:
    """Bundles as a tree of what was trained from what, a line each, and the newest events."""
    state = registry.state()
    rows = [("bundle", "family", "added", "1-step / 10-step error [mm]", "gate", "why"), *_rows(state)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    events = [f"  {e.date}  {e.kind:11}  {e.id}{f'  ({e.why})' if e.why else ''}" for e in state.history[-10:]]
    return "\n".join([str(registry.folder), *lines, "", "newest events:", *events])


def _rows(state: State) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []

    def branch(base: str, depth: int) -> None:
        for id, entry in state.entries.items():
            parent = entry.base if entry.base in state.entries else ""
            if parent != base:
                continue
            mark = "* " if id == state.promoted else "  "
            model = entry.metrics.get("open_loop_moving_mm", {}).get("model", {})
            errors = " / ".join(f"{model[h]:.1f}" if h in model else "-" for h in ("1", "10"))
            gate = entry.gates[-1] if entry.gates else None
            verdict = "" if gate is None else "passed" if gate.get("passed") else "refused"
            indent = f"{'   ' * (depth - 1)}└─ " if depth else ""
            rows.append((f"{mark}{indent}{id}", entry.family, entry.added, errors, verdict, entry.why))
            branch(id, depth + 1)

    branch("", 0)
    return rows
