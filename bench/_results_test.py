"""Results that survive a kill, know what they belong to, and are never taken for those of something else."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import _results
import pytest
from _provenance import command, commit
from _results import Results, ResultsError, plain, read
from hypothesis import given, settings
from hypothesis import strategies as st

HERE = Path(__file__).parent

SLOW = f"""
import sys, time
sys.path.insert(0, {str(HERE)!r})
from pathlib import Path
from _results import Results

def square(number):
    time.sleep(0.1)
    return {{"square": number**2}}

results = Results("squares", {{}}, folder=Path(sys.argv[1]))
for line in results.run(square, {{(number,): (number,) for number in range(30)}}, ("seed",), 1):
    print(line["seed"], flush=True)
"""


def bundle(folder: Path, weights: str) -> Path:
    folder.mkdir()
    (folder / "bundle.yaml").write_text(f"id: example\nfiles: {{rollout.onnx: {weights}}}\n")
    return folder


def squares(folder: Path, numbers: range, **options: Any) -> tuple[list[int], list[dict[str, Any]]]:
    """Run a benchmark of one line a number: the numbers that were computed, and all lines."""
    computed: list[int] = []

    def square(number: int) -> dict[str, int]:
        computed.append(number)
        return {"square": number**2}

    results = Results("squares", options.pop("chosen", {}), folder=folder, **options)
    lines = list(results.run(square, {(number,): (number,) for number in numbers}, ("seed",), 1))
    results.close()
    return computed, lines


def test_a_second_run_goes_on_where_the_first_ended(tmp_path: Path):
    assert squares(tmp_path, range(3))[0] == [0, 1, 2]
    computed, lines = squares(tmp_path, range(5))
    assert computed == [3, 4]
    assert [line["result"]["square"] for line in lines] == [0, 1, 4, 9, 16]
    assert lines == read(tmp_path / "squares.jsonl")


def test_lines_are_looked_up_by_their_keys_in_their_order_as_far_as_they_are_there(tmp_path: Path):
    squares(tmp_path, range(3))
    results = Results("squares", {}, folder=tmp_path)
    assert [line["seed"] for line in results.lines_of({"seed": seed} for seed in (7, 2, 0))] == [2, 0]
    results.close()


def test_what_was_written_before_a_kill_is_not_computed_again(tmp_path: Path):
    process = subprocess.Popen([sys.executable, "-c", SLOW, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    while process.stdout.readline() != "4\n":
        assert process.poll() is None
    time.sleep(0.05)  # in the middle of the next
    process.send_signal(signal.SIGKILL)
    process.wait()
    written = len(read(tmp_path / "squares.jsonl"))
    assert 5 <= written < 30
    computed, lines = squares(tmp_path, range(30))
    assert computed == list(range(written, 30))
    assert [line["seed"] for line in lines] == list(range(30))


@settings(deadline=None, max_examples=20)  # each asks git what code this is
@given(cut=st.integers(1, 400))
def test_a_torn_last_line_is_cut_off_and_said(tmp_path_factory: pytest.TempPathFactory, cut: int):
    folder = tmp_path_factory.mktemp("torn")
    squares(folder, range(3))
    file = folder / "squares.jsonl"
    whole = file.read_bytes()
    torn = whole[: -min(cut, len(whole.splitlines()[-1]))]
    file.write_bytes(torn)
    assert squares(folder, range(3))[0] == [2]
    assert file.read_bytes().splitlines()[:2] == whole.splitlines()[:2]


def test_the_cut_is_said(tmp_path: Path, capsys: pytest.CaptureFixture):
    squares(tmp_path, range(2))
    with open(tmp_path / "squares.jsonl", "a") as file:
        file.write('{"commit": "a')
    squares(tmp_path, range(2))
    assert "the last line is torn and is cut off" in capsys.readouterr().err
    assert len(read(tmp_path / "squares.jsonl")) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "a line of JSON"),
        ("[]", "an object"),
        ("{}", "'commit' to be a str, it is missing"),
        ("", "a line of JSON"),
    ],
)
def test_a_malformed_line_is_named_and_nothing_is_lost(tmp_path: Path, line: str, said: str):
    squares(tmp_path, range(2))
    file = tmp_path / "squares.jsonl"
    first, second = file.read_text().splitlines()
    content = "\n".join([first, line, second, ""])
    file.write_text(content)
    with pytest.raises(ResultsError, match=rf"squares.jsonl:2: .*{said}"):
        squares(tmp_path, range(2))
    assert file.read_text() == content


def test_results_of_another_bundle_do_not_count_even_with_its_id(tmp_path: Path):
    one, other = bundle(tmp_path / "one", "aa"), bundle(tmp_path / "other", "bb")
    assert squares(tmp_path, range(2), bundle=one)[0] == [0, 1]
    computed, lines = squares(tmp_path, range(2), bundle=other)
    assert computed == [0, 1] and lines[0]["bundle"] == "example"
    assert squares(tmp_path, range(2), bundle=one)[0] == []


def test_neither_do_those_of_other_settings_or_of_another_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    squares(tmp_path, range(2), chosen={"max_steps": 100})
    assert squares(tmp_path, range(2), chosen={"max_steps": 50})[0] == [0, 1]
    monkeypatch.setattr(_results, "commit", lambda: "abcdef")
    assert squares(tmp_path, range(2), chosen={"max_steps": 50})[0] == [0, 1]


def test_fresh_measures_again_and_the_newest_counts(tmp_path: Path):
    squares(tmp_path, range(2))
    assert squares(tmp_path, range(2), fresh=True)[0] == [0, 1]
    assert len(read(tmp_path / "squares.jsonl")) == 4
    assert squares(tmp_path, range(2))[0] == []


def test_a_file_has_one_writer(tmp_path: Path):
    results = Results("squares", {}, folder=tmp_path)
    with pytest.raises(ResultsError, match="written by another run"):
        Results("squares", {}, folder=tmp_path)
    results.close()
    Results("squares", {}, folder=tmp_path).close()


def test_a_commit_says_what_code_it_is(tmp_path: Path):
    def git(*words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True)

    (tmp_path / "bench/results").mkdir(parents=True)
    (tmp_path / "code.py").write_text("a = 1\n")
    git("init")
    git("add", "-A")
    git("commit", "-m", "code")
    clean = commit(tmp_path)
    assert "+" not in clean

    (tmp_path / "bench/results/x.jsonl").write_text("{}\n")
    (tmp_path / "README.md").write_text("words\n")
    assert commit(tmp_path) == clean
    git("add", "-A")
    git("commit", "-m", "results")
    assert commit(tmp_path) == clean  # results and words change no figure

    (tmp_path / "code.py").write_text("a = 2\n")
    dirty = commit(tmp_path)
    assert dirty.startswith(f"{clean}+")
    (tmp_path / "code.py").write_text("a = 3\n")
    assert commit(tmp_path) not in (clean, dirty)
    (tmp_path / "code.py").write_text("a = 1\n")
    assert commit(tmp_path) == clean
    (tmp_path / "new.py").write_text("b = 1\n")
    assert commit(tmp_path).startswith(f"{clean}+")


def test_a_command_has_no_folders_of_this_machine():
    words = ["--episodes", "2", "--bundle", "/somewhere/runs/bundle", "--json", "/tmp/x", "--fresh", "--results=/tmp/y"]
    assert command("closed_loop", words) == "./wm bench closed_loop --episodes 2 --bundle bundle"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(),
    lambda children: st.lists(children) | st.tuples(children) | st.dictionaries(st.text(), children),
)


@given(VALUES)
def test_what_is_written_is_read_back(value: Any):
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == plain(value)
