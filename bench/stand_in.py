"""Goals of arm_real on the stand-in robot, paired by seed: clean, and with each disturbance of camera, calibration and clock."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from _common import FIRST_TEST_SEED, conclude, groups, missing_runs, rate, recorded, result_options, shipped, table
from _results import Line, Results

from wm_bringup.graph_parts import config
from wm_core.atomic import die_with_parent

START_S, GOAL_S, END_S = 180.0, 60.0, 60.0  # of the wall clock, that a start, a goal and an end may take
WORLD, RIG, CAMERA = "tabletop_block", "one_camera", "realsense"
PART = "launch"  # lines about launches, beside those about goals
REPORT = "report.json"
ROW = ("success_2cm", "final_distance_m", "steps", "time_s", "message")  # what is kept of a goal
CLEAN = "none"
ROWS = ("disturbance",)  # each is measured by itself, and may be of another commit
# Arguments of robot_stand_in.launch.py; nothing of them is known to arm_real.launch.py.
DISTURBANCES: dict[str, dict[str, str]] = {
    CLEAN: {},
    "depth noise": {"sensor": "depth_noise"},
    "calibration 5 mm, 0.5 degrees": {"sensor": "miscalibrated"},
    "latency 60 ms": {"sensor": "latency"},
    "jitter 10 ms": {"sensor": "jitter"},
    "clock offset 20 ms": {"clock_offset": "0.02"},
    "all": {"sensor": "realistic", "clock_offset": "0.02"},
}
PROTOCOL = f"""\
`robot_stand_in.launch.py` and `arm_real.launch.py` as two launches in real time: one {CAMERA} camera of 424 x 240 pixels at 30 Hz, joint
states at 500 Hz, best effort. Goals and starts are those of their seeds, the same in each row; `speed:=full`. Of goals that only one of
two rows reached, `lost` and `won` say how many: against the clean row."""


def parameters(folder: Path) -> Path:
    """The parameter file of arm_real: the camera's topics, nobody who holds the enabling key, and no truth in recordings."""
    values = yaml.safe_load(config(f"camera_{CAMERA}.yaml").read_text())
    values["/**/wm_guard"] = {"ros__parameters": {"enable_required": False}}
    values["/**/wm_recorder"] = {"ros__parameters": {"exclude": "ground_truth"}}
    file = folder / "parameters.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


@contextmanager
def started(name: str, command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen]:
    """A process that prints into `folder`; ended as by Ctrl-C."""
    with open(folder / f"{name}.log", "w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=die_with_parent
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def of_wm(module: str, *words: str) -> list[str]:
    """The command line of a module of wm."""
    return [sys.executable, "-m", module, *words]


@contextmanager
def driven_stand_in(
    robot: str, folder: Path, given: Mapping[str, str], wanted: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen]:
    """The stand-in with the launch arguments `given`, and arm_real, which drives it, with those `wanted`: the process of that; logs in
    a new `folder`."""
    folder.mkdir(parents=True)
    both = {"robot": robot, "rig": RIG}
    stand_in = {**both, "camera": CAMERA, "world": WORLD, **given}
    real = {**both, "driver": "none", "autostart": "true", "speed": "full", "params_file": parameters(folder)}
    real |= wanted or {}
    with (
        started(
            "robot_stand_in", of_wm("wm_bringup.cli", "launch", "robot_stand_in.launch.py", *words(stand_in)), folder
        ),
        started("arm_real", of_wm("wm_bringup.cli", "launch", "arm_real.launch.py", *words(real)), folder) as process,
    ):
        yield process


@contextmanager
def goals(robot: str, world: str, seeds: Sequence[int], folder: Path) -> Iterator[subprocess.Popen]:
    """A client that gives the goals of consecutive seeds, one after the other; its report lies in `folder` when it has ended."""
    client = {"robot": robot, "rig": RIG, "world": world, "seed": seeds[0], "episodes": len(seeds)}
    given = words({**client, "report": folder / REPORT}, before="-p")
    with started("episodes", of_wm("wm_tasks.episodes", "--ros-args", *given), folder) as process:
        yield process


def report_of(folder: Path) -> dict[str, Any] | None:
    """What the client of `goals` has written; None: nothing."""
    file = folder / REPORT
    return json.loads(file.read_text()) if file.is_file() else None


def launch(disturbance: str, seeds: list[int], options: argparse.Namespace, folder: Path, results: Results) -> int:
    """Try consecutive seeds and add their lines; returns how many there are."""
    with (
        driven_stand_in(options.robot, folder, DISTURBANCES[disturbance]),
        goals(options.robot, WORLD, seeds, folder) as episodes,
    ):
        episodes.wait(START_S + GOAL_S * len(seeds))
    document = report_of(folder)
    if document is None:
        return 0
    for episode in document["episodes"]:
        results.add({key: episode[key] for key in ROW}, disturbance=disturbance, seed=episode["seed"])
    whole = {key: document[key] for key in ("cycles", "deadline_misses", "latency_ms", "cpu")}
    results.add(whole, disturbance=disturbance, part=PART, first=seeds[0])
    return len(document["episodes"])


def words(values: Mapping[str, Any], before: str = "") -> list[str]:
    """NAME:=VALUE of each, as launch files and nodes are given it."""
    return [word for name, value in values.items() for word in (before, f"{name}:={value}") if word]


def tables(lines: list[Line]) -> str:
    """A row a disturbance: success, against the clean row, and time."""
    tried = [line for line in lines if line.get("part") != PART]
    launches = [line for line in lines if line.get("part") == PART]
    clean = {line["seed"]: line["result"]["success_2cm"] for line in tried if line["disturbance"] == CLEAN}
    rows = []
    for (disturbance,), found in groups(tried, "disturbance").items():
        reached = {line["seed"]: line["result"]["success_2cm"] for line in found}
        both = reached.keys() & clean.keys()
        times = [line["result"]["time_s"] for line in found if line["result"]["success_2cm"]]
        camera = [
            line["result"]["latency_ms"]["camera_to_command"] for line in launches if line["disturbance"] == disturbance
        ]
        rows.append(
            (
                disturbance,
                rate(reached.values()),
                sum(clean[seed] and not reached[seed] for seed in both),
                sum(reached[seed] and not clean[seed] for seed in both),
                f"{np.median(times):.1f}, {np.quantile(times, 0.9):.1f}" if times else "-",
                f"{1000 * np.median([line['result']['final_distance_m'] for line in found]):.1f}",
                "; ".join(f"{each['p50']}, {each['p99']}" for each in camera),
            )
        )
    header = ("disturbance", "within 2 cm", "lost", "won", "time of those, median and 90 % [s]", "from the goal [mm]")
    return table((*header, "camera to command, p50 and p99 [ms]"), rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--goals", type=int, default=200)
    parser.add_argument("--seed", type=int, default=FIRST_TEST_SEED, help="of the first goal")
    parser.add_argument("--robot", default="ur5e")
    parser.add_argument(
        "--disturbances", nargs="+", default=list(DISTURBANCES), choices=list(DISTURBANCES), metavar="NAME"
    )
    parser.add_argument("--folder", type=Path, default=Path("runs/stand_in"), help="of logs and reports")
    parser.add_argument("--json", type=Path, default=None)
    result_options(parser)
    options = parser.parse_args()
    results = recorded("stand_in", options, "robot", bundle=shipped(), robot=False)
    seeds = range(options.seed, options.seed + options.goals)
    for disturbance in options.disturbances:

        def done(seed: int, disturbance: str = disturbance) -> bool:
            return results.done(disturbance=disturbance, seed=seed) is not None

        for index, run in enumerate(missing_runs(seeds, done)):
            folder = (options.folder / time.strftime(f"%Y_%m_%d-%H_%M_%S-{index}")).absolute()
            if not launch(disturbance, run, options, folder, results):
                raise SystemExit(f"no goal was tried; look at the logs in {folder}")
    keys = [{"disturbance": name, "seed": seed} for name in options.disturbances for seed in seeds]
    keys += [{"disturbance": name, "part": PART, "first": seed} for name in options.disturbances for seed in seeds]
    lines = results.lines_of(keys)
    return conclude(lines, tables, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
