"""Rows of the stand-in's benchmark are compared goal by goal, and its disturbances are those of the launch file."""

from typing import Any

from stand_in import CLEAN, DISTURBANCES, PART, tables, words

from wm_bringup.graph_stand_in import robot_stand_in


def line(disturbance: str, seed: int, reached: bool) -> dict[str, Any]:
    result = {"success_2cm": reached, "final_distance_m": 0.01, "time_s": 3.0}
    return {"disturbance": disturbance, "seed": seed, "result": result}


def test_a_row_says_which_goals_were_lost_and_won():
    launch = {"latency_ms": {"camera_to_command": {"p50": 40, "p99": 80}}}
    lines = [line(CLEAN, seed, seed != 2) for seed in range(4)]
    lines += [line("all", seed, seed != 3) for seed in range(4)]
    lines.append({"disturbance": "all", "part": PART, "result": launch})
    clean, disturbed = tables(lines).splitlines()[2:]
    assert "3/4 = 75 %" in clean and "| 0    | 0   |" in clean
    assert "| 1    | 1   |" in disturbed and "40, 80" in disturbed


def test_every_disturbance_is_known_to_the_stand_in():
    for given in DISTURBANCES.values():
        assert robot_stand_in(given).nodes
    assert words({"a": 1}, before="-p") == ["-p", "a:=1"] and words({"a": 1}) == ["a:=1"]
