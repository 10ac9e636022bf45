"""The data loop on the stand-in robot, without ground truth: explore, fine-tune, judge, swap; goals before and after."""

import argparse
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from _common import FIRST_TEST_SEED, conclude, groups, missing_runs, rate, recorded, result_options, shipped, table
from _person import Person
from _provenance import commit
from _results import Line, Results
from rclpy.signals import SignalHandlerOptions
from stand_in import GOAL_S, ROW, START_S, driven_stand_in, goals, report_of

from wm_core.bundle import Bundle
from wm_core.registry import Registry
from wm_data.collect import collect
from wm_data.labels import DEPTH, labelled
from wm_data.loading import load_data
from wm_evaluation.gate.limits import Limits
from wm_evaluation.gate.measure import trained_worlds
from wm_evaluation.gate.promote import GateSettings, promote
from wm_learning.pipelines.finetune import FinetuneSettings, finetune

BEFORE, AFTER = "shipped", "fine-tuned"
IDEAL = "none"  # no sensor model
EXPLORING, KEPT, OLD, SWAPPED = 5000, 5500, 6000, 7000  # first seeds; all below those of tests
SWAP_GOALS, GOALS_BEFORE = 8, 3  # while the bundle is changed; the change is asked for after some of them
SLOW = 3.0  # wall clock over robot time that exploring may take
LIMITS = Limits(error_rise=0.25)  # as ./wm loop --demo
IN_USE = re.compile(r"in use \(.*\): (.*)")
DONE = re.compile(r"\]: goal \d+ of \d+: (reached|missed)")
PROTOCOL = """\
`arm_real.launch.py` drives `robot_stand_in.launch.py` in real time, with the sensor model `realistic` (noise and holes in depth,
auto-exposure, 60 ms latency, jitter, distortion, 5 mm and 0.5 degrees of calibration error) and an object that the shipped bundle does
not know. `explore:=MINUTES record:=FOLDER` records what a robot records, without ground truth; where wm_explorer asks for a person,
the object is put back. Labels come from depth. Fine-tuned with old data of simulated worlds; the gate judges predictions by another
recording, labelled by depth too, and success in the old worlds by the simulator. The bundle is promoted while arm_real pursues goals
(by force, where the gate refused: it says so). Then goals, the same for both bundles, on seeds from 10000 on; exploring has seeds
below. The simulator knows whether they were reached."""


@dataclass(frozen=True)
class Places:
    """Where everything lies that a run makes."""

    folder: Path

    @property
    def tuned(self) -> Path:
        return self.folder / "bundle"

    def bag(self, name: str) -> Path:
        return self.folder / "bags" / name

    def launch(self) -> Path:
        """A new folder for the logs of two launches."""
        return self.folder / time.strftime("launches/%Y_%m_%d-%H_%M_%S")


def explored(options: argparse.Namespace, places: Places, name: str, minutes: float, seed: int) -> dict[str, Any]:
    """Explore and record; what came of it."""
    logs, bag = places.launch(), places.bag(name)
    shutil.rmtree(bag, ignore_errors=True)
    stand_in = {"sensor": options.sensor, "world": options.world, "seed": str(seed)}
    rclpy.init(args=["--ros-args", "-p", f"robot:={options.robot}"], signal_handler_options=SignalHandlerOptions.NO)
    with driven_stand_in(options.robot, logs, stand_in, {"explore": f"{minutes:g}", "record": str(bag)}) as wm:
        person, deadline = Person(), time.monotonic() + START_S + SLOW * 60 * minutes
        while wm.poll() is None and time.monotonic() < deadline:
            person.help_with(1.0, seed + 1 + person.helped)
        person.destroy_node()
    rclpy.try_shutdown()
    if wm.returncode:
        raise SystemExit(f"exploring ended with {wm.returncode}; look at the logs in {logs}")
    data = load_data([bag], places.folder / f"{name}.data")
    return {
        "helped": person.helped,
        "bytes": sum(file.stat().st_size for file in bag.iterdir()),
        "steps": len(data.episode),
        "labelled": len(labelled(data, DEPTH).episode),
        "true_labels": int(np.isfinite(data.object_xy).all(1).sum()),
    }


def tuned(options: argparse.Namespace, places: Places) -> dict[str, Any]:
    """Fine-tune from what was explored, with old data; what came of it."""
    for made in (places.tuned, places.tuned.with_name("bundle.run")):
        shutil.rmtree(made, ignore_errors=True)
    worlds = trained_worlds(Bundle.load(shipped()))
    collect(worlds, options.old_episodes, 50, places.bag("old"), OLD, options.workers)
    new = load_data([places.bag("explored")], places.folder / "explored.data")
    old = load_data([places.bag("old")], places.folder / "old.data", options.workers)
    settings = FinetuneSettings(labels=DEPTH, effort=options.effort, new_share=0.4, validation_share=0.2)
    finetune(shipped(), new, places.tuned, settings, old)
    bundle = Bundle.load(places.tuned)
    return {"id": bundle.id, **bundle.spec["data"]["finetuning"]}


def judged(options: argparse.Namespace, places: Places) -> dict[str, Any]:
    """The gate's verdict, in a registry of its own: the robot's changes only while the robot works."""
    registry = places.folder / "judging"
    shutil.rmtree(registry, ignore_errors=True)
    settings = GateSettings(options.gate_goals, workers=options.workers, limits=LIMITS, labels=DEPTH)
    try:
        verdict = promote(
            places.tuned,
            [places.bag("kept")],
            settings=settings,
            registry=Registry(registry),
            bags=["explored"],
            out=places.folder / "gate",
        )
    except ValueError as error:  # what was kept says too little
        return {"passed": False, "reason": str(error), "criteria": []}
    print(verdict.table(), flush=True)
    return {"passed": verdict.passed, "reason": verdict.reason, "criteria": [row.json() for row in verdict.criteria]}


def swapped(options: argparse.Namespace, places: Places, passed: bool) -> dict[str, Any]:
    """Promote while arm_real pursues goals; when it was in use, and what became of the goals."""
    shutil.rmtree(os.environ["WM_REGISTRY"], ignore_errors=True)
    registry, logs = Registry(os.environ["WM_REGISTRY"]), places.launch()
    candidate = registry.add(places.tuned, "fine-tuned", ["explored"])
    stand_in = {"sensor": options.sensor, "world": options.world}
    promoted_at = seconds = None
    with (
        driven_stand_in(options.robot, logs, stand_in, {"bundle": "promoted"}),
        goals(options.robot, options.world, range(SWAPPED, SWAPPED + SWAP_GOALS), logs) as episodes,
    ):
        deadline = time.monotonic() + START_S + GOAL_S * SWAP_GOALS
        while episodes.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
            if promoted_at is None and len(DONE.findall((logs / "episodes.log").read_text())) >= GOALS_BEFORE:
                registry.promote(candidate.id, "learned on the stand-in", forced=not passed)
                promoted_at = time.monotonic()
            if promoted_at and seconds is None and IN_USE.search((logs / "arm_real.log").read_text()):
                seconds = time.monotonic() - promoted_at
    said = IN_USE.search((logs / "arm_real.log").read_text())
    return {
        "seconds": seconds,
        "cost": said.group(1) if said else "",
        "goals": DONE.findall((logs / "episodes.log").read_text()),
        "stayed": registry.promoted().id == candidate.id,
    }


def tried(options: argparse.Namespace, places: Places, sensor: str, method: str, results: Results) -> None:
    """Goals that are still to be tried, with one of the bundles."""
    seeds = range(options.seed, options.seed + options.goals)
    stand_in = {"world": options.world, **({} if sensor == IDEAL else {"sensor": sensor})}
    wanted = {"bundle": str(shipped() if method == BEFORE else places.tuned)}

    def done(seed: int) -> bool:
        return results.done(sensor=sensor, method=method, seed=seed) is not None

    for run in missing_runs(seeds, done):
        logs = places.launch()
        with (
            driven_stand_in(options.robot, logs, stand_in, wanted),
            goals(options.robot, options.world, run, logs) as episodes,
        ):
            episodes.wait(START_S + GOAL_S * len(run))
        document = report_of(logs)
        if document is None:
            raise SystemExit(f"no goal was tried; look at the logs in {logs}")
        for episode in document["episodes"]:
            results.add({key: episode[key] for key in ROW}, sensor=sensor, method=method, seed=episode["seed"])


def tables(lines: list[Line]) -> str:
    """Success by sensor model and bundle, and what each part of the loop came to."""
    rows = []
    for (sensor, method), found in groups([line for line in lines if "method" in line], "sensor", "method").items():
        ends = [line["result"] for line in found]
        times = [each["time_s"] for each in ends if each["success_2cm"]]
        far = 1000 * np.median([each["final_distance_m"] for each in ends])
        time_s = f"{np.median(times):.1f}" if times else "-"
        rows.append((sensor, method, rate(each["success_2cm"] for each in ends), f"{far:.1f}", time_s))
    header = ("sensor model", "bundle", "within 2 cm", "from the goal [mm]", "time of those, median [s]")
    parts = [(line["part"], said(line["part"], line["result"])) for line in lines if "part" in line]
    return "\n\n".join([table(header, rows), table(("part", "what came of it"), parts)])


def said(part: str, result: dict[str, Any]) -> str:
    """The result of a part in a sentence."""
    if part in ("explored", "kept"):
        return (
            f"{result['steps']} steps, {result['labelled']} labelled by depth, {result['true_labels']} by truth;"
            f" {result['bytes'] / 1e9:.1f} GB; a person helped {result['helped']} times"
        )
    if part == "fine-tuned":
        figures = result["held_out_mm"]["new"]
        before, after = (figures[when]["open_loop_moving_mm"]["model"]["10"] for when in ("before", "after"))
        return f"{result['id']}; held-out error after 10 steps {before} to {after} mm"
    if part == "gate":
        return "passed" if result["passed"] else f"refused: {result['reason']}"
    in_use = f"in use {result['seconds']:.1f} s after" if result["seconds"] else "not in use"
    stayed = "stayed" if result["stayed"] else "rolled back"
    return f"{in_use}, {result['cost']}; {stayed}; goals: {', '.join(result['goals'])}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="of exploring")
    parser.add_argument("--kept-minutes", type=float, default=3.0, help="of the recording that the gate judges by")
    parser.add_argument("--goals", type=int, default=15, help="with each bundle and sensor model")
    parser.add_argument("--seed", type=int, default=FIRST_TEST_SEED, help="of the first goal")
    parser.add_argument("--robot", default="ur5e")
    parser.add_argument("--world", default="tabletop_plate")
    parser.add_argument("--sensor", default="realistic", help="with which it explores")
    parser.add_argument("--judged-with", nargs="+", default=["realistic", IDEAL], help="sensor models of the goals")
    parser.add_argument(
        "--old-episodes", type=int, default=100, help="of simulation, in each world that the bundle knows"
    )
    parser.add_argument("--effort", type=float, default=0.5, help="share of the steps that the bundle was trained for")
    parser.add_argument("--gate-goals", type=int, default=15, help="in each old world")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("runs/stand_in_learning"), help="of all that is made")
    parser.add_argument("--json", type=Path, default=None)
    result_options(parser)
    options = parser.parse_args()
    settings = ("robot", "world", "sensor", "minutes", "kept_minutes", "old_episodes", "effort", "gate_goals")
    results = recorded("stand_in_learning", options, *settings, bundle=shipped(), robot=False)
    places = Places((options.folder / commit()).absolute())
    os.environ["WM_REGISTRY"] = str(places.folder / "registry")
    lines: list[Line] = []

    def part(name: str, do: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
        """Do a part of the loop once; it begins anew where it was interrupted."""
        line = results.done(part=name) or results.add(do(options, places, *arguments), part=name)
        print(f"{name}: {said(name, line['result'])}", flush=True)
        lines.append(line)
        return line["result"]

    part("explored", explored, "explored", options.minutes, EXPLORING)
    part("kept", explored, "kept", options.kept_minutes, KEPT)
    part("fine-tuned", tuned)
    verdict = part("gate", judged)
    part("swap", swapped, verdict["passed"])
    for sensor in options.judged_with:
        for method in (BEFORE, AFTER):
            tried(options, places, sensor, method, results)
            keys = [{"sensor": sensor, "method": method, "seed": options.seed + i} for i in range(options.goals)]
            lines += [line for key in keys if (line := results.done(**key)) is not None]
    return conclude(lines, tables, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
