"""Faults injected into the running stack, each alone and in random pairs: time until the arm rests, limits, recovery, recording."""

import argparse
import shutil
import time
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from _common import groups, recorded, result_options, shipped, table, write_json
from _fault_kinds import BY_NAME, FAULTS, Fault
from _fault_stack import FaultStack
from _results import Line

PAIRS = "random pairs"
RECORDING = "the recording of a launch"
RECOVERY_S = 60.0
BARREN = 3  # launches in a row without a fault
BEFORE_S = 90.0  # until the arm is at work before a fault
LONGEST_REST_S = 1.0  # after which an arm that still moves is not at rest
TOOL_SPEED = 0.5  # [m/s] as the shipped profiles say
PROTOCOL = """\
The whole stack in real time (simulator at 240 Hz, cameras at 10 Hz, joint states at 50 Hz, goals one after another, all recorded). A
fault begins while the arm is at work. Rest: from the fault until what the arm's controller was sent is standstill for 0.1 s; the fault
itself can be observed at the next message that is due (up to 100 ms for cameras, 20 ms for joint states). Limits: an observer in the
simulator compares every physics step with the URDF and the tool's speed with the profile. Recovered: the arm is at work again, without a
human (an emergency stop is reset by one). Stolen: share of CPU time that the host of this virtual machine took."""


def run(stack: FaultStack, faults: list[Fault], offsets: list[float]) -> dict[str, Any]:
    """Inject some faults at once and say what came of it; raises RuntimeError when the stack is not at work before."""
    if stack.wait_until_moving(BEFORE_S) is None:
        raise RuntimeError(f"the arm was not at work within {BEFORE_S:.0f} s")
    stolen = psutil.cpu_times()
    began, ends, first = time.monotonic(), [], None
    order = sorted(zip(offsets, faults, strict=True), key=lambda pair: pair[0])
    for offset, fault in order:
        time.sleep(max(0.0, began + offset - time.monotonic()))
        first = first or time.monotonic()
        ends.append((time.monotonic() + fault.seconds, fault.begin(stack)))
    assert first is not None
    for at, end in sorted(ends, key=lambda pair: pair[0]):
        time.sleep(max(0.0, at - time.monotonic()))
        end()
    over = time.monotonic()
    time.sleep(max(0.3, LONGEST_REST_S - (over - first)))
    stops = any(fault.stops for fault in faults)
    rest = stack.rest_after(first, max(over + 0.3, first + LONGEST_REST_S)) if stops else None
    moving = stack.wait_until_moving(RECOVERY_S)
    until = time.monotonic()
    seen = [each for _, each in stack.seen(first, until)]
    now = psutil.cpu_times()
    spent = sum(now) - sum(stolen)
    return {
        "stops": stops,
        "rest_s": rest,
        "recovered_s": None if moving is None else until - over,
        "velocity_share": max((each.velocity_share for each in seen), default=None),
        "position_excess": max((each.position_excess for each in seen), default=None),
        "tool_speed": max((each.tool_speed for each in seen), default=None),
        "exceeded": any(exceeded(each) for each in seen),
        "stolen": (now.steal - stolen.steal) / max(1e-9, spent),
        "running": stack.running,
    }


def exceeded(each: Any) -> bool:
    """Whether the arm was beyond a limit: 1 % of velocity and 1 mrad are the servo's."""
    return each.velocity_share > 1.01 or each.position_excess > 0.001 or each.tool_speed > 1.1 * TOOL_SPEED


def tables(lines: list[Line]) -> str:
    """What came of each fault and of all together, then the recordings."""
    injected = [line for line in lines if line["fault"] != RECORDING]
    text = _of_faults(injected)
    results = [line["result"] for line in injected]
    rests = [each["rest_s"] for each in results if each["stops"] and each["rest_s"] is not None]
    text += (
        f"\n\n{len(results)} runs: limits exceeded in {sum(each['exceeded'] for each in results)}, recovered in"
        f" {sum(each['recovered_s'] is not None for each in results)}; rest, median and 99th percentile:"
        f" {np.median(rests):.2f}, {np.quantile(rests, 0.99):.2f} s"
        if rests
        else ""
    )
    kept = [line["result"] for line in lines if line["fault"] == RECORDING]
    if kept:
        counts = {name: sum(each[name] for each in kept) for name in ("bags", "kept", "heard")}
        refused = sum(len(each["refused"]) for each in kept)
        text += (
            f"\n\n{counts['bags']} bags of {len(kept)} launches, {refused} cannot be read; {counts['kept']} joint states are in"
            f" them, {counts['heard']} were heard beside."
        )
    return text


def _of_faults(lines: list[Line]) -> str:
    header = (
        "fault",
        "runs",
        "rest, median and worst [s]",
        "limits exceeded",
        "recovered",
        "median and worst [s]",
        "stolen",
    )
    rows = []
    named = [line | {"row": PAIRS if " + " in line["fault"] else line["fault"]} for line in lines]
    order = [*BY_NAME, PAIRS]
    for (name,), found in sorted(groups(named, "row").items(), key=lambda item: order.index(item[0][0])):
        results = [line["result"] for line in found]
        back = [each["recovered_s"] for each in results if each["recovered_s"] is not None]
        rows.append((
            name,
            len(results),
            rest_of(results),
            sum(each["exceeded"] for each in results),
            f"{len(back)} of {len(results)}",
            f"{np.median(back):.1f}, {max(back):.1f}" if back else "-",
            f"{100 * np.mean([each['stolen'] for each in results]):.0f} %",
        ))  # fmt: skip
    return table(header, rows)


def rest_of(results: list[dict[str, Any]]) -> str:
    """'0.20, 0.31' [s]; how many did not come to rest; or that the arm may go on."""
    wanted = [each for each in results if each["stops"]]
    rests = [each["rest_s"] for each in wanted if each["rest_s"] is not None]
    if not wanted:
        return "may go on"
    moving = f", {len(wanted) - len(rests)} not" if len(rests) < len(wanted) else ""
    return (f"{np.median(rests):.2f}, {max(rests):.2f}" if rests else "") + moving


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--faults", nargs="+", default=list(BY_NAME), metavar="NAME", help="those to inject alone")
    parser.add_argument("--runs", type=int, default=3, help="of each fault alone")
    parser.add_argument("--pairs", type=int, default=100, help="random pairs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long; the next start goes on")
    parser.add_argument("--folder", type=Path, default=Path("runs/faults"), help="of logs and recordings")
    parser.add_argument("--json", type=Path, default=None)
    result_options(parser)
    options = parser.parse_args()
    if unknown := [name for name in options.faults if name not in BY_NAME]:
        parser.error(f"expected faults out of {', '.join(BY_NAME)}; got {unknown[0]}")
    print(PROTOCOL + "\n")
    results = recorded("faults", options, "seed", bundle=shipped())
    lines = inject(options, results, time.monotonic() + 60 * options.minutes)
    print(tables(lines))
    write_json(options.json, {"runs": lines})
    return 0


def wanted(options: argparse.Namespace) -> list[tuple[str, int]]:
    """Names and numbers of all runs, shuffled, so that a run that is cut short has some of each."""
    rng = np.random.default_rng(options.seed)
    runs = [(name, index) for name in options.faults for index in range(options.runs)]
    together = [fault.name for fault in FAULTS if not fault.alone]
    for index in range(options.pairs):
        runs.append((" + ".join(rng.choice(together, 2, replace=False)), index))
    return [runs[i] for i in rng.permutation(len(runs))]


def inject(options: argparse.Namespace, results: Any, deadline: float) -> list[Line]:
    """The lines of all runs; those that are missing are made, in one stack as long as it runs."""
    todo, recordings = wanted(options), []
    missing = [run for run in todo if results.done(fault=run[0], index=run[1]) is None]
    rng = np.random.default_rng(options.seed + 1)
    barren = 0
    for launch in count():
        if not missing or time.monotonic() > deadline:
            break
        folder = options.folder / time.strftime(f"%Y_%m_%d-%H_%M_%S-{launch}")
        with FaultStack(folder, [f"seed:={20000 + launch}", f"record:={folder / 'bag'}"]) as stack:
            injected = 0
            while missing and stack.running and time.monotonic() < deadline:
                name, index = missing[0]
                faults = [BY_NAME[each] for each in name.split(" + ")]
                offsets = [0.0, *rng.uniform(0, 1, len(faults) - 1)]
                try:
                    found = run(stack, faults, offsets)
                except (RuntimeError, KeyError) as error:
                    print(f"{name}: {error}: starting anew", flush=True)
                    break
                missing.pop(0)
                line = results.add(found, fault=name, index=index)
                injected += 1
                print(f"{len(todo) - len(missing)} of {len(todo)} {name}: {line['result']}", flush=True)
        recordings.append(results.add({"injected": injected, **stack.recorded()}, fault=RECORDING, index=folder.name))
        shutil.rmtree(folder / "bag", ignore_errors=True)
        barren = 0 if injected else barren + 1
        if barren == BARREN:
            raise SystemExit(f"no fault could be injected in {BARREN} launches; look at {folder / 'launch.log'}")
    lines = [line for name, index in todo if (line := results.done(fault=name, index=index)) is not None]
    return lines + recordings


if __name__ == "__main__":
    raise SystemExit(main())
