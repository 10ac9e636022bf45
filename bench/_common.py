"""What the benchmarks share: intervals, tables, options, and work spread over processes."""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from wm_core.workers import run_all as run_all
from wm_tasks.report import wilson

FIRST_TEST_SEED = 10_000  # seeds below are for training, validation and tuning


def rate(successes: Iterable[bool]) -> str:
    """'97/100 = 97 % [91, 99]'."""
    values = list(successes)
    low, high = wilson(sum(values), len(values))
    share = sum(values) / max(1, len(values))
    return f"{sum(values)}/{len(values)} = {100 * share:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table with aligned columns."""
    cells = [list(map(str, header)), *(list(map(str, row)) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = [
        "| " + " | ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def parser(description: str, episodes: int) -> argparse.ArgumentParser:
    """The options that every benchmark of episodes has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--episodes", type=int, default=episodes, help="episodes per row of the table")
    parser.add_argument(
        "--seed", type=int, default=FIRST_TEST_SEED, help="seed of the first episode; the next ones follow"
    )
    parser.add_argument("--workers", type=int, default=2, help="worker processes; use 1 to measure times")
    parser.add_argument("--bundle", type=Path, default=None, help="model bundle folder (default: the shipped one)")
    parser.add_argument("--json", type=Path, default=None, help="also write every episode to this file")
    return parser


def write_json(path: Path | None, report: dict[str, Any]) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=1, default=str) + "\n")
        print(f"\nwritten: {path}")
