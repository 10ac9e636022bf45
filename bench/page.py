"""Makes docs/benchmarks.md from the lines in bench/results; `--check` says whether the page is what they make.

Of each benchmark, bundle and settings the newest commit is shown; all lines stay in bench/results.
"""

import argparse
import importlib
import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from _results import FOLDER, Line, ResultsError, identity, read

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
# The order of the page; a benchmark gives `tables(lines)`, and `PROTOCOL` and `METHODS` where its docstring does not say all.
SECTIONS = (
    "closed_loop",
    "robots",
    "open_loop",
    "occlusion",
    "calibration",
    "live_doctor",
    "planners",
    "policy",
    "macro",
    "exploration",
    "drift",
    "data_efficiency",
    "pretraining",
    "outside",
    "hot_swap",
    "swap_watch",
    "recording",
    "replay",
    "bag_reading",
    "dataset_formats",
    "rollout_speed",
    "joint_state_lies",
    "faults",
    "dead_guard",
    "real_time",
    "stand_in",
    "stand_in_learning",
    "interruptions",
    "real_controllers",
    "composed",
    "guard",
    "scenes",
    "scene_predictions",
    "scene_permanence",
    "scene_cost",
    "scene_nodes",
    "scene_stand_in",
    "seeing",
    "scene_data",
    "peers",
)
HEAD = """\
# Benchmarks

Made by `./wm bench page` from the lines in `bench/results`: do not edit it, run a benchmark and make it again. `./wm bench NAME`
appends a line an episode (or row) with commit, bundle, settings and seed, goes on where it was stopped, and measures nothing twice
for the same commit, bundle and settings (`--fresh` does). A commit with `+` had changes that were not committed.
Rates have 95 % Wilson intervals. Test seeds begin at 10000 (nothing was trained or tuned on them).

Figures of earlier versions, of which there are no lines, stand in [benchmarks_earlier.md](benchmarks_earlier.md).
"""


def page(folder: Path = FOLDER) -> str:
    """The whole page; raises ResultsError for a file of no benchmark, or one that cannot be read."""
    files = {file.stem: file for file in sorted(folder.glob("*.jsonl")) if file.stat().st_size}
    if unknown := files.keys() - set(SECTIONS):
        raise ResultsError(f"{files[min(unknown)]}: expected the name of a benchmark ({', '.join(SECTIONS)})")
    sections = [section(name, read(files[name])) for name in SECTIONS if name in files]
    empty = [f"`{name}`" for name in SECTIONS if name not in files]
    if empty:
        sections.append(f"## Not measured yet\n\n{', '.join(empty)}\n")
    return "\n".join([HEAD, *sections])


def section(name: str, lines: list[Line]) -> str:
    """What a benchmark measures, and its newest runs."""
    module = importlib.import_module(name)
    title, _, more = inspect.cleandoc(module.__doc__ or name).partition("\n\n")
    found = [run(module, each) for each in newest(lines, getattr(module, "ROWS", ()))]
    return "\n\n".join([f"## {name}", " ".join(title.split()), *([more] if more else []), *found]) + "\n"


def newest(lines: Iterable[Line], rows: Sequence[str] = ()) -> list[list[Line]]:
    """Lines by bundle and settings, of each the newest commit; of lines with one identity the last. `rows`: names of what is measured by
    itself, for hours: of each of these the newest commit.
    """
    last = {identity(line): line for line in lines}.values()
    runs: dict[str, dict[str, dict[str, list[Line]]]] = {}
    for line in last:
        of = identity({name: line[name] for name in ("bundle", "bundle_sha256", "settings") if name in line})
        row = identity({name: line[name] for name in rows if name in line})
        runs.setdefault(of, {}).setdefault(row, {}).setdefault(line["commit"], []).append(line)
    return [[line for by_commit in by_row.values() for line in _latest(by_commit)] for by_row in runs.values()]


def _latest(by_commit: Mapping[str, list[Line]]) -> list[Line]:
    return max(by_commit.values(), key=lambda run: max(line["time"] for line in run))


def run(module: ModuleType, lines: list[Line]) -> str:
    """The tables of a run, how it was asked for, and where it comes from."""
    commands = dict.fromkeys(line["command"] for line in lines)
    parts = ["\n".join(f"    {command}" for command in commands)]
    if protocol := getattr(module, "PROTOCOL", ""):
        parts.append(protocol.format(**{**lines[-1], **lines[-1]["settings"], **ends(lines)}))
    methods = getattr(module, "METHODS", {}).items()
    if legend := [f"- `{name}`: {text}" for name, text in methods if isinstance(text, str)]:
        parts.append("\n".join(legend))
    return "\n\n".join([*parts, module.tables(lines), provenance(lines)])


def ends(lines: list[Line]) -> dict[str, int]:
    """The first and the last seed of all lines."""
    seeds = [seed for line in lines for seed in [line.get("seed"), *line.get("seeds", ())] if seed is not None]
    return {"first": min(seeds), "last": max(seeds)} if seeds else {}


def provenance(lines: list[Line]) -> str:
    """Commit, bundle, days, machine and settings."""
    first = lines[0]
    days = sorted({line["time"][:10] for line in lines})
    machines = dict.fromkeys(f"{line['machine']['cpu']}, {line['machine']['cores']} cores" for line in lines)
    loads = sorted(line["load"] for line in lines)
    commits = " and ".join(f"`{commit}`" for commit in dict.fromkeys(line["commit"] for line in lines))
    facts = [f"Commit {commits}", " to ".join(dict.fromkeys((days[0], days[-1]))), " and ".join(machines)]
    facts.append(f"load {' to '.join(dict.fromkeys(f'{load:.1f}' for load in (loads[0], loads[-1])))}")
    facts += [
        f"{name} `{first[name]}`"
        for name in ("bundle", "robot", "task")
        if len({line.get(name) for line in lines}) == 1 and name in first
    ]
    facts += [f"{name} {value}" for name, value in first["settings"].items() if value not in (None, "", [], False)]
    return "; ".join(facts) + "."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=FOLDER, help="folder of the lines")
    parser.add_argument("--out", type=Path, default=PAGE, help="the page")
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 when the page is another")
    args = parser.parse_args()
    text = page(args.results)
    if args.check:
        if args.out.is_file() and args.out.read_text() == text:
            return 0
        print(f"{args.out} is not what {args.results} makes; run: ./wm bench page", file=sys.stderr)
        return 1
    args.out.write_text(text)
    print(f"written: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
