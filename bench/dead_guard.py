"""The guard is killed, or stopped, while the arm pushes: time until the arm rests, and how far its tool goes meanwhile."""

import argparse
import os
import signal
import time
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from _arm_watch import MOVING, farthest, true, unobserved, worst
from _common import groups, recorded, result_options, shipped, stolen_since, table, write_json
from _fault_stack import FaultStack
from _fault_tables import GOAL_S, spread
from _results import Line, Results

from wm_tasks.report import CpuTimes

BEFORE_S, RECOVERY_S = 90.0, 60.0
LONGEST_S = 2.0  # until the arm must be at rest
ANY_MOMENT_S = 2.0  # of work, at one of whose moments the signal comes
TRUE_REST = 0.02  # [rad/s] of a servo that holds
PROTOCOL = """\
The whole stack in real time, as for the faults. The signal is sent to wm_guard at a random moment of the first 2 s after the arm was
found at work, while it moves. Rest: until the speed that the controller was sent, and until that of the simulated arm, is zero for 0.1 s
(the arm's: below 0.02 rad/s). Way: of the tool from the signal until the arm's rest, at most. Recovered: at work again by itself, from
the signal on. A launch gets a few signals only, for the supervisor waits twice as long before each further start of a node, and gives
up after five in two minutes. Times are median, 99th percentile and worst."""


def run(stack: FaultStack, number: signal.Signals, moment: float) -> dict[str, Any]:
    """Send a signal `moment` [s] after the arm was found at work; raises RuntimeError when it is not."""
    if stack.wait_until_moving(BEFORE_S) is None:
        raise RuntimeError(f"the arm was not at work within {BEFORE_S:.0f} s")
    time.sleep(moment)
    deadline = time.monotonic() + BEFORE_S
    while not moves(stack):
        if time.monotonic() > deadline or not stack.running:
            raise RuntimeError("the arm does not move any more")
        time.sleep(0.01)
    cpu = CpuTimes.now()
    guard = stack.pid("wm_guard")  # which may be waited for
    began = time.monotonic()
    os.kill(guard, number)
    time.sleep(LONGEST_S)
    until = began + LONGEST_S
    seen = stack.seen(began, until)
    at_rest = stack.rest_after(began, until, true, TRUE_REST)
    moving = stack.wait_until_moving(RECOVERY_S)
    back = time.monotonic()
    return {
        "moment_s": moment,
        "speed": seen[0][1].commanded_speed if seen else None,
        "commanded_rest_s": stack.rest_after(began, until),
        "arm_rest_s": at_rest,
        "way_m": None if at_rest is None else farthest(seen, began, began + at_rest),
        "unobserved_s": unobserved(seen, began, until),
        "recovered_s": None if moving is None else back - began,
        **worst(stack.seen(began, back)),
        "stolen": stolen_since(cpu),
    }


def moves(stack: FaultStack) -> bool:
    """Whether the controller was sent a motion just now."""
    seen = stack.seen(time.monotonic() - 0.05)
    return bool(seen) and seen[-1][1].commanded_speed > MOVING


def tables(lines: list[Line]) -> str:
    """A row a signal."""
    header = (
        "signal",
        "runs",
        "commanded rest [s]",
        "arm at rest [s]",
        f"within {GOAL_S:g} s",
        "way of the tool, median and worst [mm]",
        "limits exceeded",
        "recovered",
        "after [s]",
        "observer silent, worst [s]",
        "stolen",
    )
    rows = []
    for (name,), found in sorted(groups(lines, "signal").items()):
        results = [line["result"] for line in found]
        sent, rests, ways, back = (
            [each[key] for each in results if each[key] is not None]
            for key in ("commanded_rest_s", "arm_rest_s", "way_m", "recovered_s")
        )
        rows.append((
            name,
            len(results),
            spread(sent),
            spread(rests) + (f", {len(results) - len(rests)} not seen" if len(rests) < len(results) else ""),
            f"{sum(each <= GOAL_S for each in rests)} of {len(results)}",
            f"{1000 * np.median(ways):.0f}, {1000 * max(ways):.0f}" if ways else "-",
            sum(each["exceeded"] for each in results),
            f"{len(back)} of {len(results)}",
            spread(back),
            f"{max(each.get('unobserved_s', np.nan) for each in results):.2f}",
            f"{100 * np.mean([each['stolen'] for each in results]):.0f} %",
        ))  # fmt: skip
    return table(header, rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--runs", type=int, default=50, help="of each signal")
    parser.add_argument("--signals", nargs="+", default=["SIGKILL", "SIGSTOP"], choices=["SIGKILL", "SIGSTOP"])
    parser.add_argument("--per-launch", type=int, default=3, help="signals before the stack is started anew")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long; the next start goes on")
    parser.add_argument("--folder", type=Path, default=Path("runs/dead_guard"), help="of logs")
    parser.add_argument("--json", type=Path, default=None)
    result_options(parser)
    options = parser.parse_args()
    print(PROTOCOL + "\n")
    results = recorded("dead_guard", options, "seed", bundle=shipped())
    lines = measure(options, results, time.monotonic() + 60 * options.minutes)
    print(tables(lines))
    write_json(options.json, {"runs": lines})
    return 0


def measure(options: argparse.Namespace, results: Results, deadline: float) -> list[Line]:
    """The lines of all runs; the signals take turns, so that a run that is cut short has some of each."""
    rng = np.random.default_rng(options.seed)
    todo = [(name, index) for index in range(options.runs) for name in options.signals]
    moments = dict(zip(todo, rng.uniform(0, ANY_MOMENT_S, len(todo)), strict=True))
    missing = [run for run in todo if results.done(signal=run[0], index=run[1]) is None]
    for launch in count():
        if not missing or time.monotonic() > deadline:
            break
        folder = options.folder / time.strftime(f"%Y_%m_%d-%H_%M_%S-{launch}")
        with FaultStack(folder, [f"seed:={20000 + launch}"]) as stack:
            made = 0
            while missing and made < options.per_launch and stack.running and time.monotonic() < deadline:
                name, index = missing[0]
                try:
                    found = run(stack, signal.Signals[name], moments[name, index])
                except (RuntimeError, KeyError) as error:
                    print(f"{error}: starting anew", flush=True)
                    break
                missing.pop(0)
                made += 1
                print(
                    f"{len(missing)} to go: {name}: {results.add(found, signal=name, index=index)['result']}",
                    flush=True,
                )
        if not made:
            raise SystemExit(f"no signal could be sent; look at {folder / 'launch.log'}")
    return results.lines_of({"signal": name, "index": index} for name, index in todo)


if __name__ == "__main__":
    raise SystemExit(main())
