"""Reports: stable keys, honest statistics, written whole or not at all."""

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_tasks.report import CpuTimes, Episode, Run, percentiles, wilson, write_json
from wm_tasks.summary import _title, write_summary
from wm_tasks.video import Shot, write_video


@pytest.fixture
def run():
    run = Run(
        "tabletop_block", "bundles/default", "icem", 10000, False, "push", "ur5e", 0.02, cycles=50, deadline_misses=1
    )
    for seed, distance in enumerate([0.005, 0.019, 0.025, 0.2]):
        run.episodes.append(
            Episode(seed, [0.5, 0.0], [0.4, 0.1], distance, 20, 2.0, "reached", [[0.5, 0.0], [0.45, 0.05]])
        )
    run.latency_ms["plan"] = [10.0, 20.0, math.nan]
    run.stages_ms = [(10.0, 8.0, 9.0, 2.0, 1.0, 3.0, 12.0, 1.0)] * 50
    return run


def test_the_keys_that_others_rely_on(run):
    document = json.loads(json.dumps(run.summary(), allow_nan=False))
    assert document["success_rate_2cm"] == 0.5 and document["success_rate_3cm"] == 0.75
    assert set(document["episodes"][0]) >= {"goal", "final_distance_m", "steps", "time_s", "success_2cm"}
    for name in ("camera_to_command", "encode", "filter", "plan"):
        assert set(document["latency_ms"][name]) == {"p50", "p99"}
    assert document["latency_ms"]["plan"]["p50"] == 15.0
    assert document["stages_ms"]["plan"] == {"typical": 12.0, "slowest": 12.0}
    assert set(document) >= {"cycles", "deadline_misses", "seed", "world", "bundle", "versions"}


def test_success_is_what_the_task_says(run):
    assert run.summary()["success_rate"] == 0.5 and run.within == "within 2 cm"
    run.distance_m = 0.006
    document = run.summary()
    assert document["success_rate"] == 0.25 and document["success_interval"][1] < 0.8
    assert [episode["success"] for episode in document["episodes"]] == [True, False, False, False]
    assert (document["success_distance_m"], document["task"], document["robot"]) == (0.006, "push", "ur5e")
    assert _title(run).splitlines() == [
        "push, ur5e, tabletop_block, icem, default:",
        "1 of 4 within 0.6 cm (seeds from 10000)",
    ]


@pytest.mark.parametrize(("wanted", "interrupted"), [(0, ""), (4, ""), (50, "interrupted after 4 of 50")])
def test_a_run_that_was_interrupted_says_so(run, wanted, interrupted):
    run.wanted = wanted
    assert run.interrupted == interrupted and run.summary()["interrupted"] is bool(interrupted)
    assert _title(run).endswith(f", {interrupted}" if interrupted else "10000)")


@given(st.integers(0, 200), st.integers(1, 200))
def test_intervals_contain_their_rate(successes, trials):
    successes = min(successes, trials)
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12 and successes / trials - 1e-12 <= high <= 1


def test_nothing_measured_is_null():
    assert wilson(0, 0) == (0.0, 1.0)
    assert percentiles([math.nan]) == {"p50": None, "p99": None}
    assert Run("w", "b", "p", 0, True, "t", "r", 0.02).summary()["success_rate_2cm"] is None


def test_a_failed_write_leaves_the_old_report(tmp_path):
    file = tmp_path / "report.json"
    write_json({"a": 1}, file)
    with pytest.raises(ValueError):
        write_json({"a": math.nan}, file)
    assert json.loads(file.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_picture_and_film_are_written(run, tmp_path):
    write_summary(run, tmp_path / "run.png")
    shot = Shot(np.zeros((128, 128, 3), np.uint8), np.zeros((64, 320, 3), np.uint8), "episode 1")
    write_video([shot, Shot(shot.camera, None, "no future yet")] * 5, tmp_path / "run.mp4")
    assert (tmp_path / "run.png").stat().st_size > 1000
    assert 0 < (tmp_path / "run.mp4").stat().st_size < 2e6
    assert sorted(f.name for f in tmp_path.iterdir()) == ["run.mp4", "run.png"]


def test_the_report_says_how_busy_the_machine_was():
    began = CpuTimes.now()
    if began is None:
        pytest.skip("no /proc/stat")
    deadline = time.monotonic() + 0.2
    while time.monotonic() < deadline:
        pass
    shares = began.since()
    assert 0 < shares["busy"] <= 1 and 0 <= shares["stolen"] <= 1
