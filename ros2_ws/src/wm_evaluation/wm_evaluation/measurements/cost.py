"""What a model costs: training, time and energy of a decision, size."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wm_dynamics.calibration import Calibration
from wm_dynamics.rollout import RolloutEngine
from wm_evaluation.measurement import Context
from wm_evaluation.section import Section, Table
from wm_perception.bev import fuse
from wm_planner.costs import CostModel
from wm_planner.planners import make_planner
from wm_tasks.settings import REACH, TASK

REPEATS = 300
WARM_UP = 10
CANDIDATES = 48
POWERCAP = Path("/sys/class/powercap")
PROTOCOL = """\
One thread of this machine, {repeats} calls of each part on beliefs of the held-out episodes, in this process, without ROS: encode one
fused map, one step of the belief filter, one rollout of {candidates} candidates over {horizon} steps, one plan (iCEM with its
defaults), one action of the policy where the bundle brings one. Decision: encode, filter and plan one after another. Wall time suffers
from what else the machine does (load average {load:.1f} on {cpus} CPUs in the end), CPU time of the thread hardly. {energy}
Training: wall time written into the bundle by its training, on whatever machine that was; its energy is not recorded."""
RAPL_READ = "Energy: RAPL counters of all processor packages over the decisions, so with everything else they did."
NO_RAPL = "Energy: this machine has no RAPL counters that can be read, so CPU time stands for it."


@dataclass(frozen=True)
class Spent:
    """Wall and CPU time [ms] of calls (n,), and energy of each [mJ], None where it cannot be measured."""

    wall: np.ndarray
    cpu: np.ndarray
    energy_mj: float | None

    def json(self) -> dict[str, float | None]:
        p50, p99 = np.quantile(self.wall, [0.5, 0.99])
        return {"p50_ms": p50, "p99_ms": p99, "cpu_ms": self.cpu.mean(), "energy_mj": self.energy_mj}


def measure(context: Context) -> Section:
    """Times, sizes and training of every bundle."""
    repeats = context.count(REPEATS)
    figures: dict[str, Any] = {}
    rows = []
    for label, bundle in context.bundles.items():
        parts = {name: spend(call, repeats).json() for name, call in calls(context, label).items()}
        # Of what a robot reads: the weights are for fine-tuning.
        graphs = [name for name in bundle.spec["files"] if name.endswith(".onnx")]
        size = sum((bundle.path / name).stat().st_size for name in graphs)
        training = bundle.spec.get("data", {}).get("training_s")
        figures[label] = {"parts": parts, "size_mb": size / 1e6, "training_s": training}
        for name, spent in parts.items():
            energy = [] if spent["energy_mj"] is None else [f"{spent['energy_mj']:.0f}"]
            rows.append([label, name, *(f"{spent[key]:.2f}" for key in ("p50_ms", "p99_ms", "cpu_ms")), *energy])
    header = ["", "part", "p50 [ms]", "p99 [ms]", "CPU time [ms]", "energy [mJ]"][: len(rows[0])]
    times = Table(header, rows, "Each call.")
    header = ["", "training [min]", "size of the graphs [MB]"]
    rows = [
        [
            label,
            "not recorded" if own["training_s"] is None else f"{own['training_s'] / 60:.1f}",
            f"{own['size_mb']:.2f}",
        ]
        for label, own in figures.items()
    ]
    readable = energy_uj() is not None
    protocol = PROTOCOL.format(
        repeats=repeats,
        candidates=CANDIDATES,
        horizon=next(iter(context.bundles.values())).horizon,
        load=os.getloadavg()[0],
        cpus=os.cpu_count(),
        energy=RAPL_READ if readable else NO_RAPL,
    )
    return Section("cost", "Time and energy", protocol, figures, [times, Table(header, rows)])


def calls(context: Context, label: str) -> dict[str, Callable[[int], Any]]:
    """The parts of a decision by name, each called with a running number."""
    bundle, data, seen = context.bundles[label], context.data, context.seen(label)
    rng = np.random.default_rng(0)
    steps = rng.integers(len(data.episode), size=REPEATS)
    maps = np.stack([fuse(list(np.asarray(data.bev[step], np.float32) / 255)) for step in steps[:32]])[:, None]
    goals = data.object_xy[rng.permutation(steps)].astype(np.float32)
    actions = rng.uniform(-0.7, 0.7, (CANDIDATES, bundle.horizon, bundle.action_size)).astype(np.float32)
    engine, costs = RolloutEngine(bundle), CostModel(TASK, REACH, calibration=Calibration.of(bundle))
    planner = make_planner("icem", bundle.horizon, bundle.action)

    def at(i: int) -> int:
        return int(steps[i % REPEATS])

    def encode(i: int) -> Any:
        return bundle.run("encode", bev=maps[i % len(maps)])

    def update(i: int) -> Any:
        step = at(i)
        return bundle.run(
            "filter",
            mean=seen.mean[step : step + 1],
            variance=seen.variance[step : step + 1],
            action=data.action[step : step + 1],
            embedding=seen.embedding[step : step + 1],
            proprio=np.concatenate([data.tool_xy[step], data.target_xy[step]])[None],
        )

    def rollout(i: int) -> Any:
        return engine.rollout(seen.mean[at(i)], actions)

    def plan(i: int) -> Any:
        latent, goal = seen.mean[at(i)], goals[i % REPEATS]
        return planner.plan(lambda candidates: costs.cost(engine.rollout(latent, candidates), candidates, goal))

    def decision(i: int) -> Any:
        return encode(i), update(i), plan(i)

    def act(i: int) -> Any:
        return bundle.run("policy", latent=seen.mean[at(i)][None], goal=goals[i % REPEATS][None])

    parts = {"encode": encode, "filter": update, f"rollout {CANDIDATES} x {bundle.horizon}": rollout, "plan": plan}
    return {**parts, "decision": decision, **({"policy": act} if bundle.has("policy") else {})}


def spend(call: Callable[[int], Any], repeats: int) -> Spent:
    """Time and energy of `repeats` calls, after some that are not counted."""
    for i in range(WARM_UP):
        call(i)
    wall, cpu = np.empty(repeats), np.empty(repeats)
    before = energy_uj()
    for i in range(repeats):
        wall_ns, cpu_ns = time.perf_counter_ns(), time.thread_time_ns()
        call(i)
        cpu[i], wall[i] = time.thread_time_ns() - cpu_ns, time.perf_counter_ns() - wall_ns
    after = energy_uj()
    joule = None if before is None or after is None or after < before else (after - before) / repeats / 1e3
    return Spent(wall / 1e6, cpu / 1e6, joule)


def energy_uj(powercap: Path = POWERCAP) -> int | None:
    """Energy [uJ] that all processor packages have used, a counter that starts over now and then; None where it cannot be read.

    Linux power capping framework: intel-rapl zones whose name begins with "package".
    """
    total = None
    for zone in powercap.glob("intel-rapl:*"):
        try:
            if (zone / "name").read_text().startswith("package"):
                total = (total or 0) + int((zone / "energy_uj").read_text())
        except (OSError, ValueError):
            return None
    return total
