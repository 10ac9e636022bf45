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
from pathlib import Path
from tempfile import TemporaryDirectory

import rclpy
from _common import FIRST_TEST_SEED, table, write_json
from rclpy.executors import SingleThreadedExecutor

from wm_bags.replay.options import ReplayOptions
from wm_bags.replay.player import Player
from wm_bags.replay.source import message_class, open_bag, publisher_qos
from wm_bringup.replay.check import check
from wm_core.bags import typestore

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


def replay(bag: Path, choice: ReplayOptions) -> list[str]:
    """One row: how fast it went, and what the consumer did not get."""
    process = subprocess.Popen([sys.executable, __file__, "--consume", str(bag)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    outcome = Player(bag, choice, lambda text: print(text, file=sys.stderr)).run()
    time.sleep(0.5)
    process.terminate()
    heard, sent = int(process.communicate()[0]), outcome.published.total()
    with open_bag(bag) as opened:
        length = (opened.last_ns - opened.first_ns) / 1e9
    late = sorted(outcome.late_ms) or [float("nan")]
    return [
        "as fast as possible" if choice.flat_out else f"x{choice.rate:g}",
        f"{outcome.seconds:.1f} s",
        f"x{length / outcome.seconds:.2f}",
        f"{sent / outcome.seconds:.0f}",
        *(f"{late[round(share * (len(late) - 1))]:.2f}" for share in (0.5, 0.99)),
        str(sent),
        str(sent - heard),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--cycles", type=int, default=1000, help="control cycles to record, at least about")
    parser.add_argument("--seed", type=int, default=FIRST_TEST_SEED, help="seed of the first episode")
    parser.add_argument("--world", default="tabletop_block")
    parser.add_argument("--bag", type=Path, help="a bag that was recorded before, in place of a new one")
    parser.add_argument("--rates", type=float, nargs="*", default=[1.0, 4.0, 10.0], help="at which it is replayed too")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--consume", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.consume:
        consume(options.consume)
        return 0
    with TemporaryDirectory(prefix="wm_replay_") as folder:
        bag = options.bag or Path(folder) / "bag"
        if not options.bag:
            episodes = -(-options.cycles // CYCLES_AN_EPISODE)
            seconds = record(bag, options.world, episodes, options.seed)
            size = sum(file.stat().st_size for file in bag.iterdir()) / 1e6
            print(f"{episodes} goals from seed {options.seed} recorded in {seconds:.0f} s: {size:.0f} MB\n", flush=True)
        began = time.monotonic()
        report = check(bag)
        print(f"given to the nodes again in {time.monotonic() - began:.0f} s\n")
        header = ["topic", "compared", "equal", "different", "not replayed", "not recorded", "first difference"]
        rows = [[t.topic, t.recorded, t.equal, t.different, t.missing, t.more, t.first or "-"] for t in report.tallies]
        print(table(header, rows), *(f"\nnote: {note}" for note in report.notes), "\n", flush=True)
        choices = [
            *(ReplayOptions(rate=rate, delay_s=30.0) for rate in options.rates),
            ReplayOptions(flat_out=True, delay_s=30.0),
        ]
        speeds = [replay(bag, choice) for choice in choices]
    speed_header = ["replay", "took", "speed", "messages/s", "late p50 [ms]", "late p99 [ms]", "messages", "dropped"]
    print(table(speed_header, speeds))
    write_json(options.json, {"equal": rows, "notes": report.notes, "speed": speeds})
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
