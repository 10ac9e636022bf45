"""What the benchmarks share: intervals, tables, options, results, and work spread over processes."""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from _results import FOLDER, Line, Results

from wm_core.command_line import quiet_interrupts
from wm_core.paths import bundles_dir
from wm_core.robot import DEFAULT_ROBOT
from wm_core.task import DEFAULT_TASK
from wm_core.workers import run_all as run_all
from wm_tasks.report import CpuTimes, wilson

quiet_interrupts()  # every benchmark imports this first
FIRST_TEST_SEED = 10_000  # seeds below are for training, validation and tuning


def rate(successes: Iterable[bool]) -> str:
    """'97/100 = 97 % [91, 99]'."""
    values = list(successes)
    low, high = wilson(sum(values), len(values))
    share = sum(values) / max(1, len(values))
    return f"{sum(values)}/{len(values)} = {100 * share:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def most_frequent(reasons: Sequence[str]) -> str:
    """The one that comes most often; empty where there is none."""
    return max(sorted(set(reasons)), key=reasons.count) if reasons else ""


def stolen_since(before: CpuTimes | None) -> float:
    """Share of CPU time that the host of this virtual machine took since then; 0 where it is not known."""
    shares = before.since() if before else None
    return shares["stolen"] if shares else 0.0


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
    result_options(parser)
    return parser


def result_options(parser: argparse.ArgumentParser) -> None:
    """The options of all that is recorded."""
    parser.add_argument("--results", type=Path, default=FOLDER, help="folder of the lines of results")
    parser.add_argument("--fresh", action="store_true", help="measure anew what is there for this commit and bundle")


def recorded(
    name: str, args: argparse.Namespace, *settings: str, bundle: Path | None = None, robot: bool = True, **more: Any
) -> Results:
    """The results of a benchmark.

    `settings`: the options that change them, `more`: what else does; `bundle`: what is judged, if one is; `robot`: whether the
    arm is in it, whose lines name the robot and the task.
    """
    chosen = {option: getattr(args, option) for option in settings} | more
    facts = {"robot": DEFAULT_ROBOT, "task": DEFAULT_TASK} if robot else {}
    return Results(name, chosen, bundle, args.results, args.fresh, **facts)


def shipped() -> Path:
    """The bundle that is judged when none is named."""
    return bundles_dir() / "default"


def groups(lines: Iterable[Line], *names: str) -> dict[tuple, list[Line]]:
    """Lines by the values of some names, in the order in which these come."""
    found: dict[tuple, list[Line]] = {}
    for line in lines:
        found.setdefault(tuple(line[name] for name in names), []).append(line)
    return found


def flat(line: Line, *names: str) -> dict[str, Any]:
    """The result of a line with some of the names that it is of, for reports."""
    return {**{name: line[name] for name in names}, **line["result"]}


def run_cells(
    results: Results,
    episode: Callable[..., dict[str, Any]],
    calls: dict[tuple, tuple],
    names: Sequence[str],
    workers: int,
) -> list[Line]:
    """The lines of episodes by a key whose last part is the seed; each cell's rate of success is printed when it is done."""
    seeds = list(dict.fromkeys(key[-1] for key in calls))
    lines: list[Line] = []
    for line in results.run(episode, calls, names, workers):
        lines.append(line)
        if line["seed"] == seeds[-1]:
            won = rate(each["result"]["success"] for each in lines[-len(seeds) :])
            print(f"{', '.join(str(line[name]) for name in names[:-1])}: {won}", flush=True)
    return lines


def missing_runs(seeds: Sequence[int], done: Callable[[int], bool]) -> Iterator[list[int]]:
    """Consecutive seeds of which there are no results yet, until there are none; a launch is given them as first and number."""
    while missing := [seed for seed in seeds if not done(seed)]:
        yield [seed for index, seed in enumerate(missing) if seed == missing[0] + index]


def write_json(path: Path | None, report: dict[str, Any]) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=1, default=str) + "\n")
        print(f"\nwritten: {path}")


def conclude(lines: list[Line], tables: Callable[[list[Line]], str], json_file: Path | None) -> int:
    """Print what came of a benchmark, and write it where that is asked for; the exit status."""
    print(tables(lines))
    write_json(json_file, {"lines": lines})
    return 0
