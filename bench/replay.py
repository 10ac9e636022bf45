"""Records a lockstep run of several goals, gives it to the nodes again, and prints what is equal; then replays it to a consumer
of all its topics, at several rates and as fast as that keeps up.

Lockstep and seeds make the same run possible, not certain: when the next episode begins depends on when it is asked for.
What a recording holds is computed again to the last bit, on the machine that recorded it.
"""

import argparse
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import rclpy
from _common import FIRST_TEST_SEED, flat, recorded, result_options, shipped, table, write_json
from _results import Line
from rclpy.executors import SingleThreadedExecutor

from wm_bags.replay.options import ReplayOptions
from wm_bags.replay.player import Player
from wm_bags.replay.source import message_class, open_bag, publisher_qos
from wm_bringup.replay.check import check
from wm_core.bags import typestore

FLAT_OUT = "as fast as possible"
CYCLES_AN_EPISODE = 36  # about, on the shipped worlds


def record(bag: Path, world: str, episodes: int, seed: int) -> float:
    """Run and record; returns how long it took [s]."""
    arguments = ["real_time:=false", f"episodes:={episodes}", f"seed:={seed}", f"world:={world}", f"record:={bag}"]
    began = time.monotonic()
    command = [sys.executable, "-m", "wm_bringup.cli", "launch", "arm_sim.launch.py", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"the run to be recorded failed:\n{done.stdout}")
    return time.monotonic() - began


def consume(bag: Path) -> None:
    """In a process of its own: take everything, and say on the first SIGTERM how many messages of each topic came."""
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    node, counts, store = rclpy.create_node("consumer"), Counter(), typestore()
    with open_bag(bag) as opened:
        for name, topic in opened.topics.items():
            node.create_subscription(
                message_class(topic, store),
                name,
                lambda _, name=name: counts.update([name]),
                publisher_qos(topic.offered),
            )
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    print("ready", flush=True)
    while not stopping:
        executor.spin_once(timeout_sec=0.1)
    print(counts.total(), flush=True)


def replay(bag: Path, choice: ReplayOptions) -> dict[str, Any]:
    """How fast it went, and what the consumer did not get."""
    process = subprocess.Popen([sys.executable, __file__, "--consume", str(bag)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    outcome = Player(bag, choice, lambda text: print(text, file=sys.stderr)).run()
    time.sleep(0.5)
    process.terminate()
    heard, sent = int(process.communicate()[0]), outcome.published.total()
    with open_bag(bag) as opened:
        length = (opened.last_ns - opened.first_ns) / 1e9
    late = sorted(outcome.late_ms) or [float("nan")]
    return {
        "took_s": outcome.seconds,
        "length_s": length,
        "late_ms": [late[round(share * (len(late) - 1))] for share in (0.5, 0.99)],
        "sent": sent,
        "dropped": sent - heard,
    }


def checked(bag: Path) -> dict[str, Any]:
    """What is equal when the nodes compute again what was recorded."""
    began = time.monotonic()
    report = check(bag)
    topics = [asdict(tally) for tally in report.tallies]
    return {"good": report.good, "took_s": time.monotonic() - began, "topics": topics, "notes": list(report.notes)}


def check_table(line: Line) -> str:
    header = ["topic", "compared", "equal", "different", "not replayed", "not recorded", "first difference"]
    names = ("topic", "recorded", "equal", "different", "missing", "more")
    rows = [(*(tally[name] for name in names), tally["first"] or "-") for tally in line["result"]["topics"]]
    return table(header, rows) + "".join(f"\n\nnote: {note}" for note in line["result"]["notes"])


def speed_row(line: Line) -> list[str]:
    found, rate = line["result"], line["rate"]
    return [
        rate if rate == FLAT_OUT else f"x{rate:g}",
        f"{found['took_s']:.1f} s",
        f"x{found['length_s'] / found['took_s']:.2f}",
        f"{found['sent'] / found['took_s']:.0f}",
        *("nan" if value is None else f"{value:.2f}" for value in found["late_ms"]),
        str(found["sent"]),
        str(found["dropped"]),
    ]


def tables(lines: list[Line]) -> str:
    checks = [line for line in lines if line["part"] == "check"]
    speeds = [line for line in lines if line["part"] == "speed"]
    header = ["replay", "took", "speed", "messages/s", "late p50 [ms]", "late p99 [ms]", "messages", "dropped"]
    return "\n\n".join([*map(check_table, checks), *([table(header, map(speed_row, speeds))] if speeds else [])])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--cycles", type=int, default=1000, help="control cycles to record, at least about")
    parser.add_argument("--seed", type=int, default=FIRST_TEST_SEED, help="seed of the first episode")
    parser.add_argument("--world", default="tabletop_block")
    parser.add_argument("--bag", type=Path, help="a bag that was recorded before, in place of a new one")
    parser.add_argument("--rates", type=float, nargs="*", default=[1.0, 4.0, 10.0], help="at which it is replayed too")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    result_options(parser)
    parser.add_argument("--consume", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.consume:
        consume(options.consume)
        return 0
    choices = {rate: ReplayOptions(rate=rate, delay_s=30.0) for rate in options.rates}
    choices[FLAT_OUT] = ReplayOptions(flat_out=True, delay_s=30.0)
    bag_name = options.bag.name if options.bag else ""
    results = recorded("replay", options, "cycles", "seed", "world", bundle=shipped(), bag=bag_name)
    report = results.done(part="check")
    speeds = {rate: results.done(part="speed", rate=rate) for rate in choices}
    with TemporaryDirectory(prefix="wm_replay_") as folder:
        bag = options.bag or Path(folder) / "bag"
        if not options.bag and (report is None or None in speeds.values()):
            episodes = -(-options.cycles // CYCLES_AN_EPISODE)
            seconds = record(bag, options.world, episodes, options.seed)
            size = sum(file.stat().st_size for file in bag.iterdir()) / 1e6
            print(f"{episodes} goals from seed {options.seed} recorded in {seconds:.0f} s: {size:.0f} MB\n", flush=True)
        report = report or results.add(checked(bag), part="check")
        print(f"given to the nodes again in {report['result']['took_s']:.0f} s\n")
        print(check_table(report) + "\n", flush=True)
        lines = [
            speeds[rate] or results.add(replay(bag, choice), part="speed", rate=rate)
            for rate, choice in choices.items()
        ]
    print(tables(lines))
    found = [flat(line, "rate") for line in lines]
    write_json(options.json, {"check": report["result"], "speed": found})
    return 0 if report["result"]["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
