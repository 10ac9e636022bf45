"""Scenes of several objects by depth on the stand-in robot: clean, and with all disturbances of camera, calibration and clock."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _common import (
    FIRST_TEST_SEED,
    conclude,
    groups,
    missing_runs,
    most_frequent,
    rate,
    recorded,
    result_options,
    table,
)
from _results import Line, Results
from stand_in import CAMERA, DISTURBANCES, REPORT, START_S, driven_stand_in, of_wm, started, words

from wm_core.paths import bundles_dir
from wm_sim.scene_task import load_scene_task, scene_task_names

RIG = "two_cameras_fine"
BETWEEN_S = 20.0  # of the wall clock, that a reset and the judgement of an episode take
PROTOCOL = f"""\
`robot_stand_in.launch.py task:=TASK` and `arm_real.launch.py perception:=geometry task:=TASK` as two launches in real time: two {CAMERA}
cameras of 424 x 240 pixels in the places of the rig {RIG}, joint states at 500 Hz, best effort; `speed:=full`. Starts, goals and judgement
are those of the benchmark `scenes`. What stands beside the name of a disturbance is what the stand-in is given, and wm is not."""


def launch(
    task: str, disturbance: str, seeds: Sequence[int], options: argparse.Namespace, folder: Path, results: Results
) -> int:
    """Try consecutive seeds and add their lines; returns how many there are."""
    both = {"rig": RIG, "task": task}
    wanted = {"rig": RIG, "task": task, "perception": "geometry"}
    report = (folder / REPORT).absolute()
    given = {"robot": options.robot, "task": task, "seed": seeds[0], "episodes": len(seeds)}
    given |= {"perception": "geometry", "bundle": options.bundle, "report": report}
    with (
        driven_stand_in(options.robot, folder, {**both, **DISTURBANCES[disturbance]}, wanted),
        started(
            "episodes", of_wm("wm_tasks.scene_episodes", "--ros-args", *words(given, before="-p")), folder
        ) as episodes,
    ):
        episodes.wait(START_S + (BETWEEN_S + 2 * load_scene_task(task).time_limit) * len(seeds))
    rows = json.loads(report.read_text())["episodes"] if report.is_file() else []
    for row in rows:
        result = {name: value for name, value in row.items() if name != "seed"}
        results.add(result, task=task, disturbance=disturbance, seed=row["seed"])
    return len(rows)


def tables(lines: list[Line]) -> str:
    rows = []
    for (task, disturbance), found in groups(lines, "task", "disturbance").items():
        done = [line["result"] for line in found]
        times = [each["time_s"] for each in done if each["success"]]
        missed = [each["message"] for each in done if not each["success"]]
        rows.append(
            (
                task,
                disturbance,
                rate(each["success"] for each in done),
                f"{np.median(times):.1f}" if times else "-",
                f"{1000 * np.median([each['distance_m'] for each in done]):.1f}",
                most_frequent(missed),
            )
        )
    header = (
        "task",
        "disturbance",
        "success",
        "time, median [s]",
        "from the goal, median [mm]",
        "most frequent reason",
    )
    return table(header, rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--episodes", type=int, default=40, help="of each task")
    parser.add_argument("--seed", type=int, default=FIRST_TEST_SEED, help="of the first episode")
    parser.add_argument("--robot", default="panda", help="with a gripper")
    parser.add_argument("--bundle", type=Path, default=bundles_dir() / "scene")
    tasks = ["push_pose", "push_past", "two_poses", "pick_place"]
    parser.add_argument("--tasks", nargs="+", default=tasks, choices=scene_task_names(), metavar="NAME")
    parser.add_argument(
        "--disturbances", nargs="+", default=["none", "all"], choices=list(DISTURBANCES), metavar="NAME"
    )
    parser.add_argument("--folder", type=Path, default=Path("runs/scene_stand_in"), help="of logs and reports")
    parser.add_argument("--json", type=Path, default=None)
    result_options(parser)
    options = parser.parse_args()
    print(PROTOCOL)
    results = recorded("scene_stand_in", options, "robot", bundle=options.bundle, robot=False)
    seeds = range(options.seed, options.seed + options.episodes)
    cells = [(task, disturbance) for task in options.tasks for disturbance in options.disturbances]
    for task, disturbance in cells:

        def done(seed: int, task: str = task, disturbance: str = disturbance) -> bool:
            return results.done(task=task, disturbance=disturbance, seed=seed) is not None

        for index, run in enumerate(missing_runs(seeds, done)):
            folder = (options.folder / time.strftime(f"%Y_%m_%d-%H_%M_%S-{index}")).absolute()
            if not launch(task, disturbance, run, options, folder, results):
                raise SystemExit(f"no episode was tried; look at the logs in {folder}")
    keys = [{"task": task, "disturbance": name, "seed": seed} for task, name in cells for seed in seeds]
    return conclude(results.lines_of(keys), tables, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
