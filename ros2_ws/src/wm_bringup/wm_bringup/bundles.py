"""`./wm bundles` and `./wm rollback`: what the registry holds, and going back. Without torch and ROS, so that a robot can do it."""

import argparse
import sys
from pathlib import Path

from wm_core.registry import Registry, State


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, OSError) as error:
        print(f"wm: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wm", description="The registry of model bundles.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    listing = verbs.add_parser("bundles", help="list the bundles of the registry, or add one")
    listing.set_defaults(run=lambda options: print(listed(Registry())))
    adding = listing.add_subparsers(metavar="[add FOLDER]").add_parser("add", help="copy a bundle into the registry")
    adding.add_argument("folder", type=Path)
    adding.add_argument("--as", dest="id", default=None, metavar="ID", help="a new id for the copy")
    adding.add_argument("--why", default="", help="what it is for")
    adding.add_argument("--bags", nargs="+", default=[], help="names of the recordings it was trained on")
    adding.set_defaults(run=_add)

    verb = verbs.add_parser("rollback", help="go back to the bundle that was promoted before")
    verb.add_argument("--to", default=None, metavar="ID", help="an earlier one")
    verb.add_argument("--why", default="by hand")
    verb.set_defaults(run=_rollback)
    return parser


def _add(options: argparse.Namespace) -> None:
    entry = Registry().add(options.folder, options.why, options.bags, options.id)
    print(f"added {entry.id}")


def _rollback(options: argparse.Namespace) -> None:
    registry = Registry()
    before = registry.promoted().id
    print(f"rolled back from {before} to {registry.rollback(options.why, options.to).id}")


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


if __name__ == "__main__":
    sys.exit(main())
