"""Tasks in scenes of several objects through the launch: simulator, perception, dynamics, planner, guard and controller."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

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

from wm_core.atomic import die_with_parent
from wm_core.paths import bundles_dir
from wm_sim.scene_task import load_scene_task, scene_task_names

START_S, SETTLED_S = (
    90.0,
    30.0,
)  # of the wall clock, that a launch takes; that a reset and the judgement of an episode take
SLOWED = 3.0  # by how much longer than the robot's time an episode may take
PROTOCOL = """\
Protocol: scenes, goals and judgement of the benchmark `scenes`, through `arm_sim.launch.py`; commands pass guard and controller.
perception:=truth: poses are the simulator's with noise of 3 mm and 3 degrees; geometry: objects are seen by the depth of two cameras.
Lockstep: the simulator waits for each command; real time: nobody waits, each node is a process of its own. Seeds {first} to {last}."""
PERCEPTIONS = ("truth", "geometry")
CLOCKS = ("lockstep", "real time")


def launch(task: str, clock: str, robot: str, perception: str, seeds: list[int], folder: Path, results: Results) -> int:
    """Try consecutive seeds in one launch and add their lines; returns how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    report = (folder / "report.json").absolute()
    words = [f"task:={task}", f"robot:={robot}", f"seed:={seeds[0]}", f"episodes:={len(seeds)}", f"report:={report}"]
    words += [f"perception:={perception}", "headless:=true", f"real_time:={str(clock == 'real time').lower()}"]
    most = START_S + len(seeds) * (SETTLED_S + SLOWED * load_scene_task(task).time_limit)
    with open(folder / "launch.log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "wm_bringup.cli", "launch", "arm_sim.launch.py", *words],
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent,
        )
        try:
            process.wait(most)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait(30)
    if not report.is_file():
        return 0
    episodes = json.loads(report.read_text())["episodes"]
    for row in episodes:
        results.add(
            {k: v for k, v in row.items() if k != "seed"},
            task=task,
            clock=clock,
            robot=robot,
            perception=perception,
            seed=row["seed"],
        )
    return len(episodes)


def tables(lines: list[Line]) -> str:
    rows = []
    for (task, clock, robot, seen), found in groups(lines, "task", "clock", "robot", "perception").items():
        results = [line["result"] for line in found]
        won = [each["time_s"] for each in results if each["success"]]
        missed = [each["message"] for each in results if not each["success"]]
        rows.append(
            (
                task,
                clock,
                robot,
                seen,
                rate(each["success"] for each in results),
                f"{np.median(won):.1f}" if won else "-",
                f"{100 * np.mean([each['others_m'] < 0.02 for each in results]):.0f} %",
                most_frequent(missed),
            )
        )
    header = (
        "task",
        "clock",
        "robot",
        "perception",
        "success",
        "time, median [s]",
        "others < 2 cm",
        "most frequent reason of the missed",
    )
    return table(header, rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--episodes", type=int, default=20, help="of each task")
    parser.add_argument("--seed", type=int, default=FIRST_TEST_SEED, help="of the first episode")
    sliding = [name for name in scene_task_names() if load_scene_task(name).slide is None]
    parser.add_argument("--tasks", nargs="+", default=sliding, help="all but those in which objects slide at the start")
    parser.add_argument("--clock", choices=CLOCKS, default="lockstep")
    parser.add_argument("--perception", choices=PERCEPTIONS, default="truth")
    parser.add_argument("--robot", default="panda", help="with a gripper")
    parser.add_argument("--folder", type=Path, default=Path("runs/scene_nodes"), help="of logs and reports")
    parser.add_argument("--json", type=Path, default=None)
    result_options(parser)
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.episodes)
    seen, clock = options.perception, options.clock
    print(PROTOCOL.format(first=seeds[0], last=seeds[-1]))
    results = recorded("scene_nodes", options, bundle=bundles_dir() / "scene", robot=False)
    keys: list[dict[str, Any]] = []
    for task in options.tasks:
        common = {"task": task, "clock": clock, "robot": options.robot, "perception": seen}
        mine = [{**common, "seed": seed} for seed in seeds]
        for index, run in enumerate(
            missing_runs(seeds, lambda seed, common=common: bool(results.done(**common, seed=seed)))
        ):
            folder = options.folder / time.strftime(f"%Y_%m_%d-%H_%M_%S-{task}-{index}")
            if not launch(task, clock, options.robot, seen, run, folder, results):
                raise SystemExit(f"no episode was tried; look at {folder / 'launch.log'}")
        keys += mine
        won = rate(line["result"]["success"] for line in results.lines_of(mine))
        print(f"{task}, {clock}, {options.robot}, {seen}: {won}", flush=True)
    return conclude(results.lines_of(keys), tables, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
