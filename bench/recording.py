"""Whether a recording is complete and what it costs the control loop, and what a kill leaves of it.

640x480 RGB and depth at 30 Hz and joint states at 500 Hz come from a process of their own, beside arm_sim in real time.
The loop's latency is measured with the load alone and with the recorder; then the recorder is killed at random moments.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from _camera_load import TOPICS as LOAD
from _camera_load import number_of
from _common import recorded, result_options, shipped, table, write_json
from _results import Line, Results
from mcap.reader import make_reader
from rosbags.rosbag2 import Reader

from wm_bags.record.topics import complete
from wm_bags.storage.reading import Bag
from wm_bags.storage.repair import repair
from wm_core.atomic import die_with_parent
from wm_core.paths import rig_path
from wm_core.rig import CameraRig

HERE = Path(__file__).parent
RIG = "two_cameras"
REPORT = ("success_rate_2cm", "latency_ms", "cpu", "deadline_misses", "cycles")  # what is kept of the loop's report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0, help="of recording")
    parser.add_argument("--baseline-minutes", type=float, default=1.0, help="of the loop without a recorder")
    parser.add_argument("--kills", type=int, default=20, help="recordings that are killed")
    parser.add_argument("--seed", type=int, default=10_000, help="of the goals and of the moments of the kills")
    parser.add_argument("--folder", type=Path, default=None, help="where the bags go (default: a temporary folder)")
    parser.add_argument("--json", type=Path, default=None, help="also write everything to this file")
    result_options(parser)
    options = parser.parse_args()
    results = recorded("recording", options, "minutes", "baseline_minutes", "seed", bundle=shipped())
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="wm_recording_", dir=options.folder) as name:
        folder = Path(name)
        if options.minutes:
            lines += _beside_the_loop(folder, results, options)
            print(_loop_tables(lines))
        if options.kills:
            kills = _kills(folder, results, options)
            print("\n" + _kills_text(kills))
            lines += kills
    write_json(options.json, {"loop": _parts(lines, "loop"), "kills": _parts(lines, "kill")})


def tables(lines: list[Line]) -> str:
    loop, kills = ([line for line in lines if line["part"] == part] for part in ("loop", "kill"))
    return "\n\n".join(make(found) for make, found in ((_loop_tables, loop), (_kills_text, kills)) if found)


def _parts(lines: list[Line], part: str) -> list[dict[str, Any]]:
    return [line["result"] for line in lines if line["part"] == part]


def _beside_the_loop(folder: Path, results: Results, options: argparse.Namespace) -> list[Line]:
    """The loop with the load alone, and with the recorder."""
    lines = [results.done(part="loop", recorder=recorder) for recorder in (False, True)]
    if lines[0] is None:
        alone = _run(folder / "alone", 60 * options.baseline_minutes, options.seed, None)
        lines[0] = results.add(alone, part="loop", recorder=False)
    if lines[1] is None:
        bag = folder / "bag"
        beside = _run(folder / "beside", 60 * options.minutes, options.seed, bag)
        counted = _counted(bag)
        numbers = counted.pop("numbers")
        beside["recorded"] = {topic: len(numbers[f"/{topic}"]) for topic in beside["sent"]}
        beside["distinct"] = {topic: len(set(numbers[f"/{topic}"])) for topic in beside["sent"]}
        lines[1] = results.add({**beside, "bag": counted}, part="loop", recorder=True)
    return lines  # type: ignore[return-value]


def _loop_tables(lines: list[Line]) -> str:
    """What was recorded, and what it did to the loop; empty when there is no line with the recorder."""
    runs = {line["recorder"]: line["result"] for line in lines}
    text, beside = "", runs.get(True)
    if beside:
        rows = []
        for topic, sent in beside["sent"].items():
            found, distinct = beside["recorded"][topic], beside["distinct"][topic]
            rows.append((topic, sent, found, sent - distinct, found - distinct))
        last, counted = beside["status"], beside["bag"]
        text = (
            f"{table(('topic', 'sent', 'recorded', 'missing', 'twice'), rows)}\n\n"
            f"recorder: {last['messages']} messages, {last['bytes'] / 1e9:.2f} GB, {last['dropped']} dropped,"
            f" {last['lost']} lost; CPU {100 * beside['cpu']:.1f} % of one core; peak memory {beside['rss'] / 1e6:.0f} MB\n"
            f"read back: rosbags {counted['rosbags']}, mcap {counted['mcap']} messages, all checksums right\n\n"
        )
    header = ("loop, real time", "camera to command p50", "p99", "missed", "cycles", "goals within 2 cm", "CPU stolen")
    names = {False: "load, no recorder", True: "load and recorder"}
    return text + table(header, [_latency(names[recorder], run) for recorder, run in runs.items()])


def _latency(name: str, run: dict[str, Any]) -> tuple[Any, ...]:
    report = run["report"]
    latency, cpu = report["latency_ms"]["camera_to_command"], report["cpu"] or {"stolen": 0}
    good = f"{100 * (report['success_rate_2cm'] or 0):.0f} % of {report['goals']}"
    missed = report["deadline_misses"]
    return (
        name,
        f"{latency['p50']:.1f} ms",
        f"{latency['p99']:.1f} ms",
        missed,
        report["cycles"],
        good,
        f"{100 * cpu['stolen']:.0f} %",
    )


def _run(folder: Path, seconds: float, seed: int, bag: Path | None) -> dict[str, Any]:
    """arm_sim and the load for that long; with a bag, the recorder too."""
    folder.mkdir()
    result: dict[str, Any] = {}
    recorder = None
    if bag is not None:
        begin = time.monotonic()
        recorder = _recorder(bag, folder / "recorder.log")
    load = _started([HERE / "_camera_load.py"], stdout=subprocess.PIPE, text=True)
    report = folder / "report.json"
    arguments = [f"report:={report}", f"seed:={seed}"]
    with open(folder / "loop.log", "w") as log:
        command = ["-m", "wm_bringup.cli", "launch", "arm_sim.launch.py", *arguments]
        loop = _started(command, stdout=log, stderr=log)
    time.sleep(seconds)
    loop.send_signal(signal.SIGINT)
    loop.wait(60)
    load.terminate()
    output = load.communicate(timeout=30)[0]
    if recorder is not None:
        result["sent"] = json.loads(output)
        time.sleep(1)
        recorder.send_signal(signal.SIGINT)
        _, status, usage = os.wait4(recorder.pid, 0)
        recorder.returncode = os.waitstatus_to_exitcode(status)
        result["cpu"] = (usage.ru_utime + usage.ru_stime) / (time.monotonic() - begin)
        result["rss"] = 1024 * usage.ru_maxrss
        result["status"] = _last_status((folder / "recorder.log").read_text())
    document = json.loads(report.read_text())
    result["report"] = {name: document[name] for name in REPORT} | {"goals": len(document["episodes"])}
    return result


def _recorder(bag: Path, log: Path) -> subprocess.Popen:
    cameras = (camera.name for camera in CameraRig.load(rig_path(RIG)).cameras)
    names = [*(each.name for each in complete(cameras)), *LOAD]
    with open(log, "w") as stream:
        return _started(
            ["-m", "wm_bags.record.recorder", "--ros-args", "-p", f"folder:={bag}"]
            + ["-p", f"topics:=[{','.join(names)}]", "-p", "max_bag_bytes:=4000000000"],
            stdout=stream,
            stderr=stream,
        )


def _started(command: list[Any], **options: Any) -> subprocess.Popen:
    """A Python process that does not outlive this one."""
    return subprocess.Popen([sys.executable, *command], preexec_fn=die_with_parent, **options)


def _last_status(log: str) -> dict[str, float]:
    """Out of the recorder's last line: N messages, N MB, N dropped, N lost."""
    line = next(line for line in reversed(log.splitlines()) if " dropped, " in line).rsplit("]: ", 1)[-1]
    words = line.replace(",", "").split()
    value = {words[i + 1]: float(words[i]) for i in range(0, 8, 2)}
    return {
        "messages": int(value["messages"]),
        "bytes": 1e6 * value["MB"],
        "dropped": int(value["dropped"]),
        "lost": int(value["lost:"]),
    }


def _counted(bag: Path) -> dict[str, Any]:
    """What independent readers find: rosbags all messages, mcap the same with every checksum verified."""
    numbers: dict[str, list[int]] = defaultdict(list)
    total = 0
    with Reader(bag) as reader:
        for connection, _, data in reader.messages():
            total += 1
            if connection.topic.removeprefix("/") in LOAD:
                numbers[connection.topic].append(number_of(data))
    checked: Counter[str] = Counter()
    for file in sorted(bag.glob("*.mcap")):
        with open(file, "rb") as stream:
            for schema, _, _ in make_reader(stream, validate_crcs=True).iter_messages(log_time_order=False):
                checked[schema.name] += 1
    return {"rosbags": total, "mcap": sum(checked.values()), "schemas": dict(checked), "numbers": numbers}


def _kills(folder: Path, results: Results, options: argparse.Namespace) -> list[Line]:
    rng = random.Random(options.seed)
    moments = [rng.uniform(0.0, 4.0) for _ in range(options.kills)]  # [s]
    return [
        results.done(part="kill", index=index) or results.add(_kill(folder, index, moment), part="kill", index=index)
        for index, moment in enumerate(moments)
    ]


def _kill(folder: Path, index: int, moment: float) -> dict[str, Any]:
    """What a recording is that is killed `moment` seconds after it has begun."""
    bag = folder / f"killed_{index}"
    recorder = _recorder(bag, folder / "recorder.log")
    load = _started([HERE / "_camera_load.py"], stdout=subprocess.PIPE)
    end = time.monotonic() + 60
    while not (bag / f"{bag.name}_0.mcap").is_file() or (bag / f"{bag.name}_0.mcap").stat().st_size < 10_000_000:
        if time.monotonic() > end:
            raise RuntimeError(f"nothing was recorded; {folder / 'recorder.log'} says why")
        time.sleep(0.01)
    time.sleep(moment)
    recorder.kill()
    killed_ns = time.time_ns()
    recorder.wait()
    load.kill()
    load.wait()
    outcome = _after_kill(bag, killed_ns)
    shutil.rmtree(bag)
    return outcome


def _kills_text(lines: list[Line]) -> str:
    outcomes = [line["result"] for line in lines]
    lost = sorted(outcome["lost_s"] for outcome in outcomes)
    opened = sum(outcome["opened"] for outcome in outcomes)
    repaired = sum(outcome["repaired"] for outcome in outcomes)
    return (
        f"{len(outcomes)} kills: {opened} bags opened as they were, {repaired} after repair by rosbags and mcap alike;"
        f" lost before the kill: median {lost[len(lost) // 2]:.2f} s, most {lost[-1]:.2f} s;"
        f" holes in what was kept: {sum(outcome['holes'] for outcome in outcomes)}"
    )


def _after_kill(bag: Path, killed_ns: int) -> dict[str, Any]:
    with Bag(bag) as reader:
        direct = Counter(message.topic for message in reader.messages())
    repair(bag)
    counted = _counted(bag)
    with Reader(bag) as reader:
        lost_s = (killed_ns - reader.end_time) / 1e9
        announced = reader.message_count
    holes = sum(max(numbers) + 1 - len(set(numbers)) for numbers in counted["numbers"].values())
    return {
        "opened": direct.total() > 0,
        "repaired": counted["rosbags"] == counted["mcap"] == announced == direct.total(),
        "messages": announced,
        "lost_s": lost_s,
        "holes": holes,
    }


if __name__ == "__main__":
    main()
