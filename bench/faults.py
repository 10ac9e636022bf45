"""Faults injected into the running stack, each alone and in random pairs: time until the arm rests, limits, recovery, recording."""

import argparse
import contextlib
import shutil
import time
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from _arm_watch import Samples, commanded_far, rest_after, worst
from _common import recorded, result_options, shipped, stolen_since, write_json
from _fault_kinds import BY_NAME, FOLLOWS_RAD, FOLLOWS_S, FRAME_S, JOINTS_S, SHARED, SMALL_DISK, Fault
from _fault_page import fault_page
from _fault_stack import FaultStack
from _fault_tables import fault_table, recording_name, summary
from _memory import soak_table
from _results import Line
from _small_disk import small_disk

from wm_tasks.report import CpuTimes

RECOVERY_S = 60.0
BARREN = 3  # launches in a row without a fault
BEFORE_S = 90.0  # until the arm is at work before a fault
RESTARTS, RESTARTS_S = 4, 130.0  # [s] of a node: the supervisor gives up at the sixth within two minutes
LONGEST_REST_S = 1.0  # after which an arm that still moves is not at rest
PROTOCOL = f"""\
The whole stack in real time (simulator at 240 Hz, cameras at {1 / FRAME_S:.0f} Hz, joint states at {1 / JOINTS_S:.0f} Hz, goals one
after another, all recorded). A fault begins while the arm is at work. Rest: from then until what the arm's controller was sent is
standstill for 0.1 s. A fault can be noticed when the first message that is missing or wrong is due: after {FRAME_S:g} s for cameras and
for nodes between camera and command, {JOINTS_S:g} s for joint states (twice as long where they freeze, for the first is new), at once for
the rest. An arm that is stuck, or joint states that are: once the arm was commanded to go {FOLLOWS_RAD:g} rad further, and
{FOLLOWS_S:g} s later; an arm that follows may be so far and so late, and where it rests before that, nobody can notice. Of a pair that
fault counts which stops the arm and can be noticed first. Limits: an observer in the simulator compares every physics step with the
URDF and the tool's speed with the profile. Recovered: the arm is at work again, without a human (an emergency stop is reset by one).
Cut: the stream's endpoints in the middleware match nobody, by their quality of service or because there is none. Stolen: share of CPU
time that the host of this virtual machine took. Times are median, 99th percentile and worst."""


def run(stack: FaultStack, faults: list[Fault], offsets: list[float]) -> dict[str, Any]:
    """Inject some faults, `offsets` [s] after the first, and say what came of it.

    Raises RuntimeError when the arm is not at work before.
    """
    if stack.wait_until_moving(BEFORE_S) is None:
        raise RuntimeError(f"the arm was not at work within {BEFORE_S:.0f} s")
    cpu = CpuTimes.now()
    start, begun, ends = time.monotonic(), [], []
    for offset, fault in sorted(zip(offsets, faults, strict=True), key=lambda pair: pair[0]):
        time.sleep(max(0.0, start + offset - time.monotonic()))
        begun.append((time.monotonic(), fault))
        end = fault.begin(stack)
        ends.append((begun[-1][0] + fault.seconds, end))
    problems = []
    for at, end in sorted(ends, key=lambda pair: pair[0]):
        time.sleep(max(0.0, at - time.monotonic()))
        problems.append(end())
    over = time.monotonic()
    first = begun[0][0]
    stopping = [each for each in begun if each[1].stops]
    until = max(over + 0.3, max((at for at, _ in stopping), default=first) + LONGEST_REST_S)
    time.sleep(max(0.0, until - time.monotonic()))
    rest, observable = judged(stopping, stack.seen(first, until)) if stopping else (None, None)
    moving = stack.wait_until_moving(RECOVERY_S)
    back = time.monotonic()
    return {
        "begun": [(fault.name, at - first) for at, fault in begun],
        "stops": bool(stopping),
        "rest_s": rest,
        "observable_s": observable,
        "rest_after_observable_s": max(0.0, rest - observable) if observable is not None and rest is not None else None,
        "recovered_s": None if moving is None else back - over,
        **worst(stack.seen(first, back)),
        "stolen": stolen_since(cpu),
        "problems": [problem for problem in problems if problem],
        "running": stack.running,
        "launch": stack.folder.name,
        "launched_s": stack.launched_s,
        "memory": stack.memory(),
    }


def judged(stopping: list[tuple[float, Fault]], samples: Samples) -> tuple[float | None, float | None]:
    """Out of faults that must stop the arm, and their beginnings [s], for the one that can be noticed first: [s] from its beginning until
    the arm rests (None: it does not), and until it can be noticed (None: the arm rests before that).
    """
    found = []
    for at, fault in stopping:
        rest = rest_after(samples, at)
        observable: float | None = fault.observable
        if fault.way:
            moving = [each for each in samples if rest is None or each[0] <= at + rest]
            went = commanded_far(moving, at, fault.way)
            observable = None if went is None else went + fault.observable
        found.append((np.inf if observable is None else at + observable, rest, observable))
    _, rest, observable = min(found, key=lambda each: each[0])
    return rest, observable


def tables(lines: list[Line]) -> str:
    """What came of each fault and of all together, then the recordings, and memory where processes lived long enough."""
    return "\n\n".join(text for text in (fault_table(lines), *summary(lines), soak_table(lines)) if text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--faults", nargs="+", default=list(BY_NAME), metavar="NAME", help="those to inject")
    parser.add_argument("--runs", type=int, default=3, help="of each fault alone")
    parser.add_argument("--pairs", type=int, default=100, help="random pairs")
    parser.add_argument(
        "--random", type=int, default=0, help="a soak: so many faults and pairs drawn at random, and no others"
    )
    parser.add_argument("--every", type=float, default=0.0, help="[s] from one fault to the next, at least")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long; the next start goes on")
    parser.add_argument("--folder", type=Path, default=Path("runs/faults"), help="of logs and recordings")
    parser.add_argument(
        "--json", type=Path, default=Path("runs/faults/faults.json"), help="of all lines; a page (.html) beside it"
    )
    result_options(parser)
    options = parser.parse_args()
    if unknown := [name for name in options.faults if name not in BY_NAME]:
        parser.error(f"expected faults out of {', '.join(BY_NAME)}; got {unknown[0]}")
    print(PROTOCOL + "\n")
    soak = {"mode": "soak", "every": options.every} if options.random else {}
    results = recorded("faults", options, "seed", bundle=shipped(), **soak)
    lines = inject(options, results, time.monotonic() + 60 * options.minutes)
    print(tables(lines))
    write_json(options.json, {"runs": lines})
    page = options.json.with_suffix(".html")
    page.write_text(fault_page(lines, PROTOCOL))
    print(f"written: {page}")
    return 0


def wanted(options: argparse.Namespace) -> list[tuple[str, int]]:
    """Names and numbers of all runs, shuffled, so that a run that is cut short has some of each; by launch."""
    rng = np.random.default_rng(options.seed)
    singles = [BY_NAME[name] for name in options.faults]
    together = [fault.name for fault in singles if not fault.alone and fault.launch == SHARED]

    def pair() -> str:
        return " + ".join(rng.choice(together, 2, replace=False))

    if options.random:
        alone = [fault.name for fault in singles if fault.launch == SHARED]
        return [(pair() if rng.random() < 0.5 else str(rng.choice(alone)), index) for index in range(options.random)]
    runs = [(fault.name, index) for fault in singles for index in range(options.runs)]
    runs += [(pair(), index) for index in range(options.pairs)]
    shuffled = [runs[i] for i in rng.permutation(len(runs))]
    return sorted(shuffled, key=lambda run: launch_of(run[0]))


def launch_of(name: str) -> str:
    """In which launches a fault or a pair is."""
    return SHARED if " + " in name else BY_NAME[name].launch


def inject(options: argparse.Namespace, results: Any, deadline: float) -> list[Line]:
    """The lines of all runs; those that are missing are made, in one stack as long as it runs."""
    todo, recordings = wanted(options), []
    missing = [run for run in todo if results.done(fault=run[0], index=run[1]) is None]
    rng = np.random.default_rng(options.seed + 1)
    barren = 0
    for launch in count():
        if not missing or time.monotonic() > deadline:
            break
        folder = (options.folder / time.strftime(f"%Y_%m_%d-%H_%M_%S-{launch}")).absolute()
        kind = launch_of(missing[0][0])
        bags = folder / "disk" if kind == SMALL_DISK else folder
        with small_disk(bags) if kind == SMALL_DISK else contextlib.nullcontext():
            words = [f"seed:={20000 + launch}", f"record:={bags / 'bag'}", "bundle:=promoted"]
            with FaultStack(folder, words, bags) as stack:
                made = inject_into(stack, kind, missing, options.every, rng, results, deadline)
            name = recording_name(kind)
            recordings.append(results.add({"injected": made, **stack.recorded()}, fault=name, index=folder.name))
            for bag in bags.glob("bag*"):
                shutil.rmtree(bag, ignore_errors=True)
        shutil.rmtree(stack.registry, ignore_errors=True)
        barren = 0 if made else barren + 1
        if barren == BARREN:
            raise SystemExit(f"no fault could be injected in {BARREN} launches; look at {folder / 'launch.log'}")
    return results.lines_of({"fault": name, "index": index} for name, index in todo) + recordings


class Restarts:
    """How often each node was made to restart lately: the supervisor gives up at one too often, as it should."""

    def __init__(self) -> None:
        self._times: dict[str, list[float]] = {}

    def allow(self, name: str, now: float) -> bool:
        """Whether a fault or a pair may come at a time [s]."""
        return all(
            sum(now - each <= RESTARTS_S for each in self._times.get(node, [])) < RESTARTS for node in _restarted(name)
        )

    def count(self, name: str, now: float) -> None:
        for node in _restarted(name):
            self._times.setdefault(node, []).append(now)


def _restarted(name: str) -> list[str]:
    """The nodes that a fault or a pair makes restart."""
    parts = [each.partition(" ") for each in name.split(" + ")]
    return [node for node, _, how in parts if how in ("killed", "hung")]


def inject_into(
    stack: FaultStack,
    kind: str,
    missing: list[tuple[str, int]],
    every: float,
    rng: np.random.Generator,
    results: Any,
    deadline: float,
) -> int:
    """Inject the runs of a kind of launch out of `missing`, which gets shorter, while a stack runs; returns how many it were."""
    made, last, restarts = 0, -np.inf, Restarts()
    while stack.running and time.monotonic() < deadline:
        of_kind = [each for each in missing if launch_of(each[0]) == kind]
        if not of_kind:
            break
        chosen = next((each for each in of_kind if restarts.allow(each[0], time.monotonic())), None)
        if chosen is None:
            time.sleep(1.0)
            continue
        name, index = chosen
        faults = [BY_NAME[each] for each in name.split(" + ")]
        offsets = [0.0, *rng.uniform(0, 1, len(faults) - 1)]
        time.sleep(max(0.0, last + every - time.monotonic()))
        last = time.monotonic()
        try:
            found = run(stack, faults, offsets)
        except (RuntimeError, KeyError) as error:
            print(f"{name}: {error}: starting anew", flush=True)
            break
        missing.remove(chosen)
        restarts.count(name, last)
        result = results.add(found, fault=name, index=index)["result"]
        made += 1
        shown = {key: value for key, value in result.items() if key not in ("memory", "begun")}
        print(f"{len(missing)} to go: {name}: {shown}", flush=True)
        if kind == SMALL_DISK:  # what is full is recorded to no more
            break
    return made


if __name__ == "__main__":
    raise SystemExit(main())
