"""`./wm loop --demo`: the whole loop in simulation. A stage that is done is not done again."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from wm_bringup.loop.recorded import RunRecord, read_run
from wm_bringup.loop.report import page
from wm_bringup.loop.robot import Robot, RobotError
from wm_core.bundle import Bundle
from wm_core.paths import bundles_dir
from wm_core.registry import Registry
from wm_data.collect import collect
from wm_data.loading import load_data
from wm_evaluation.gate.limits import Limits
from wm_evaluation.gate.measure import trained_worlds
from wm_evaluation.gate.promote import GateSettings, promote
from wm_evaluation.kept import plain, write
from wm_learning.pipelines.finetune import FinetuneSettings, finetune
from wm_sim.world import load_world

LIVE_FIRST = 3  # goals of the robot with the bundle before, at least
LIVE_S = 300.0  # [s] of wall time that anything of the robot is waited for
# Success in the old worlds is what must not be lost; a fine-tuned model pays for a world in which the same push moves the object farther.
LIMITS = Limits(error_rise=0.25)
GOAL_S = 9.0  # [s] of robot time that a goal takes in an unknown world, with settling
KEPT_GOALS = 15  # recorded for the gate alone
POLL_S = 0.5


@dataclass(frozen=True)
class DemoSettings:
    """What is shown."""

    world: str = "tabletop_plate"  # unknown to the shipped bundle; a name or a file
    out: Path = Path("runs/loop")
    minutes: float = (
        10.0  # of robot time that are recorded: half of it exploring, half of it practising with what was learned
    )
    goals: int = 100  # of the gate, in each world
    old_episodes: int = 150  # of data collected in each world that the shipped bundle knows
    live_goals: int = 10  # pursued after the change
    seed: int = 5000  # of collection; below 10000, as all that is trained on
    workers: int = 2
    finetuning: FinetuneSettings = field(
        default_factory=lambda: FinetuneSettings(labels="depth", effort=0.5, new_share=0.4, validation_share=0.2)
    )


@dataclass
class Progress:
    """Does stages once, also over several runs, and remembers how long each took."""

    file: Path
    seconds: dict[str, float] = field(default_factory=dict)

    def stage(self, name: str, do: Callable[[], Any], *makes: Path) -> None:
        """Do a stage unless it is done; what an interrupted run left of the folders that it makes is removed."""
        known = json.loads(self.file.read_text()) if self.file.is_file() else {}
        if name in known:
            print(f"loop: {name}: done before", flush=True)
        else:
            print(f"loop: {name} ...", flush=True)
            for folder in makes:
                shutil.rmtree(folder, ignore_errors=True)
            began = time.monotonic()
            do()
            known[name] = round(time.monotonic() - began, 1)
            write(self.file, json.dumps(known))
            print(f"loop: {name}: {known[name]:.0f} s", flush=True)
        self.seconds[name] = known[name]


def demo(settings: DemoSettings) -> bool:
    """Run the loop and write OUT/report.html and OUT/report.json; whether the bundle was promoted and reached the goals."""
    out, world = settings.out, load_world(settings.world)
    out.mkdir(parents=True, exist_ok=True)
    registry, progress = Registry(out / "registry"), Progress(out / "stages.json")
    shipped = Bundle.load(bundles_dir() / "default")
    explored, practised, kept, live_bag = (out / "bags" / n for n in ("explored", "practised", "kept", "live"))
    first, tuned = out / "first", out / "bundle"

    def record(name: str, bag: Path, seed: int, **arguments: str) -> None:
        usual = {"world": settings.world, "record": str(bag), "real_time": "false", "seed": str(seed)}
        with Robot(out / f"{name}.log", registry.folder, **usual, **arguments) as robot:
            robot.wait()

    def recall() -> None:
        collect(
            trained_worlds(shipped), settings.old_episodes, 50, out / "bags" / "old", settings.seed, settings.workers
        )

    def learn(folder: Path, settings_of_it: FinetuneSettings, *bags: Path) -> None:
        new = load_data(list(bags), out / f"{folder.name}.new", settings.workers)
        old = load_data([out / "bags" / "old"], out / "old", settings.workers)
        finetune(shipped.path, new, folder, settings_of_it, old)

    minutes, usual = settings.minutes / 2, settings.finetuning
    goals = str(max(1, round(60 * minutes / GOAL_S)))
    progress.stage("explore", lambda: record("explore", explored, settings.seed, explore=f"{minutes:g}"), explored)
    progress.stage("recall", recall)
    progress.stage("fine-tune", lambda: learn(first, replace(usual, effort=0.6 * usual.effort), explored))
    progress.stage(
        "practise",
        lambda: record("practise", practised, settings.seed + 500, bundle=str(first), episodes=goals),
        practised,
    )
    progress.stage(
        "keep",
        lambda: record("keep", kept, settings.seed + 800, bundle=str(first), episodes=str(KEPT_GOALS)),
        kept,
    )
    progress.stage("fine-tune again", lambda: learn(tuned, usual, explored, practised))
    progress.stage("judge", lambda: _judge(settings, tuned, kept), out / "gate", out / "judging")
    verdict = json.loads((out / "gate" / "gate.json").read_text())
    progress.stage("swap", lambda: _swap(settings, registry, tuned, verdict, live_bag), live_bag, registry.folder)
    live, records = read_run(live_bag), [read_run(explored), read_run(practised)]
    report = _report(settings, world.name, shipped.id, Bundle.load(tuned), verdict, live, records, progress.seconds)
    write(out / "report.json", json.dumps(plain(report), indent=1) + "\n")
    write(out / "report.html", page(report, live, records))
    print(f"loop: written: {out / 'report.html'}, {out / 'report.json'}")
    return bool(verdict["passed"] and report["live"]["after"]["reached"] >= 0.95 * report["live"]["after"]["goals"])


def _judge(settings: DemoSettings, tuned: Path, kept: Path) -> None:
    """The gate, with a registry of its own: the robot's changes only while the robot works."""
    verdict = promote(
        tuned,
        [settings.world, kept],
        settings=GateSettings(
            settings.goals, workers=settings.workers, limits=LIMITS, labels=settings.finetuning.labels
        ),
        registry=Registry(settings.out / "judging"),
        bags=["explored", "practised"],
        out=settings.out / "gate",
    )
    print(verdict.table(), flush=True)


def _swap(settings: DemoSettings, registry: Registry, tuned: Path, verdict: dict[str, Any], bag: Path) -> None:
    """The robot pursues goals with the shipped bundle; what passed the gate is promoted meanwhile, and taken over by its nodes."""
    arguments = {"world": settings.world, "bundle": "promoted", "record": str(bag), "seed": "10000"}
    with Robot(settings.out / "live.log", registry.folder, real_time="false", **arguments) as robot:
        _wait(robot, lambda: _goals(robot) >= LIVE_FIRST, "the first goals")
        if not verdict["passed"]:
            return
        registry.add(tuned, "fine-tuned", ["explored", "practised"])
        registry.promote(verdict["candidate"], "passed the gate", verdict)
        _wait(robot, lambda: " in use (" in robot.log(), "the new bundle in use")
        # The goal in pursuit at the change belongs to neither bundle.
        enough = _goals(robot) + 1 + settings.live_goals
        _wait(robot, lambda: _goals(robot) >= enough, f"{settings.live_goals} goals")


def _goals(robot: Robot) -> int:
    return sum("]: goal " in line and " mm in " in line for line in robot.log().splitlines())


def _wait(robot: Robot, condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIVE_S
    while not condition():
        if not robot.running:
            raise RobotError(f"expected {what}, the robot's run ended before:\n{robot.log()[-500:]}")
        if time.monotonic() > deadline:
            print(f"loop: waited {LIVE_S:.0f} s for {what}, going on", flush=True)
            return
        time.sleep(POLL_S)


def _report(
    settings: DemoSettings,
    world: str,
    shipped: str,
    tuned: Bundle,
    verdict: dict[str, Any],
    live: RunRecord,
    records: list[RunRecord],
    seconds: dict[str, float],
) -> dict[str, Any]:
    """All figures of the page, as JSON."""
    before, after = live.of(shipped), live.of(tuned.id)
    shown = {name: value for name, value in asdict(settings).items() if name not in ("out", "finetuning")}
    return {
        "world": world,
        "settings": shown,
        "bundles": {"before": shipped, "after": tuned.id},
        "seconds": seconds,
        "minutes": round(sum(seconds.values()) / 60, 1),
        "recorded": {
            "episodes": sum(len(record.attempts) for record in records),
            "steps": sum(len(record.object_xy) for record in records),
            "drift_alarm_s": _alarm(records[0]),
        },
        "finetuning": tuned.spec["data"]["finetuning"],
        "gate": verdict,
        "live": {
            "before": {"goals": len(before), "reached": sum(a.reached for a in before)},
            "after": {"goals": len(after), "reached": sum(a.reached for a in after)},
            "changes": [asdict(change) for change in live.changes],
            "drift_alarm_s": _alarm(live),
        },
    }


def _alarm(record: RunRecord) -> float | None:
    """[s] from the beginning to the first drift alarm; None: there was none."""
    over = record.drift[record.drift[:, 1] > 1, 0]
    return round(float(over[0] - record.drift[0, 0]) / 1e9, 1) if len(over) else None
