"""docs/benchmarks.md is what the committed lines make, and says where each figure comes from."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import page
import pytest
from _results import ResultsError

HERE = Path(__file__).parent

LINE: dict[str, Any] = {
    "world": "tabletop_block",
    "method": "wm",
    "seed": 10_000,
    "commit": "abc",
    "bundle": "example",
    "bundle_sha256": "00",
    "settings": {"max_steps": 100, "planner": "icem"},
    "result": {"success_2cm": True, "success_3cm": True, "final_distance_m": 0.004, "steps": 20},
    "time": "2025-01-02T03:04:05+00:00",
    "machine": {"cpu": "Example", "cores": 2},
    "load": 1.0,
    "command": "./wm bench closed_loop",
}


def written(folder: Path, *lines: dict[str, Any], name: str = "closed_loop") -> Path:
    (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder


def test_the_page_is_what_the_committed_lines_make():
    assert page.PAGE.read_text() == page.page(), "run: ./wm bench page"


def test_every_benchmark_is_on_the_page_with_its_tables():
    benchmarks = {path.stem for path in HERE.glob("[a-z]*.py")} - {"page"}
    assert set(page.SECTIONS) == benchmarks
    for name in benchmarks:
        assert callable(importlib.import_module(name).tables)


def test_a_run_is_shown_with_its_interval_command_commit_bundle_and_machine(tmp_path: Path):
    failed = LINE | {"seed": 10_001, "result": LINE["result"] | {"success_2cm": False, "final_distance_m": 0.2}}
    text = page.page(written(tmp_path, LINE, failed))
    assert "| tabletop_block | wm     | 1/2 = 50 % [9, 91] | 2/2 = 100 % [34, 100] | 10.2 " in text
    assert "    ./wm bench closed_loop\n" in text
    assert "Seeds 10000 to 10001" in text
    assert (
        "Commit `abc`; 2025-01-02; Example, 2 cores; load 1.0; bundle `example`; max_steps 100; planner icem." in text
    )


def test_rows_that_are_measured_by_themselves_may_be_of_different_commits():
    rows = [
        LINE | {"row": name, "commit": commit, "time": time}
        for name, commit, time in (
            ("a", "old", "2025-01-01"),
            ("b", "old", "2025-01-01"),
            ("b", "new", "2025-01-02"),
        )
    ]
    (shown,) = page.newest(rows, ("row",))
    assert [(line["row"], line["commit"]) for line in shown] == [("a", "old"), ("b", "new")]
    (shown,) = page.newest(rows)
    assert [(line["row"], line["commit"]) for line in shown] == [("b", "new")]


def test_of_a_bundle_and_settings_the_newest_commit_is_shown(tmp_path: Path):
    newer = LINE | {"commit": "def", "time": "2025-01-03T00:00:00+00:00"}
    other = LINE | {"settings": {"max_steps": 50, "planner": "icem"}}
    text = page.page(written(tmp_path, newer, LINE, other))
    assert text.count("Commit `def`") == 1 and text.count("Commit `abc`") == 1
    assert text.count("max_steps 50") == 1


def test_of_one_episode_the_last_line_counts(tmp_path: Path):
    again = LINE | {"result": LINE["result"] | {"success_2cm": False}}
    assert "| 0/1 = 0 % [0, 79]" in page.page(written(tmp_path, LINE, again))


def test_results_of_no_benchmark_are_refused(tmp_path: Path):
    with pytest.raises(ResultsError, match=r"closed_lop.jsonl: expected the name of a benchmark"):
        page.page(written(tmp_path, LINE, name="closed_lop"))


def test_check_says_when_the_page_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "page.md"
    written(tmp_path, LINE)

    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["page", "--results", str(tmp_path), "--out", str(out), *words])
        return page.main()

    assert run("--check") == 1 and not out.exists()
    assert run() == 0
    assert run("--check") == 0
    written(tmp_path, LINE, LINE | {"seed": 10_001})
    assert run("--check") == 1


def test_a_benchmark_makes_lines_that_the_page_can_show(tmp_path: Path):
    words = [
        "--episodes",
        "1",
        "--worlds",
        "tabletop_block",
        "--methods",
        "random",
        "--max-steps",
        "5",
        "--workers",
        "1",
    ]

    def run() -> str:
        command = [sys.executable, str(HERE / "closed_loop.py"), *words, "--results", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    table = run().strip().rsplit("\n\n", 1)[-1]
    assert "| tabletop_block | random | 0/1 = 0 % [0, 79]" in table
    assert table in page.page(tmp_path)
    again = run()
    assert "1 of 1 are in closed_loop.jsonl" in again and again.strip().endswith(table)
