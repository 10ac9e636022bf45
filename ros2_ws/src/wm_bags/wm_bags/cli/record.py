"""Write what is published into a bag, until Ctrl-C.

Without topics: a complete recording of wm, which `wm replay --check` can compare and `wm dataset` learns from.
"""

import argparse
import signal
import threading

import rclpy
from rclpy.parameter import Parameter
from wm_msgs.msg import RecorderStatus

from wm_bags.record.parameters import CONTINUOUS, PARAMETERS, SNAPSHOT
from wm_bags.record.recorder import Recorder, spin
from wm_bags.record.topics import CAMERA_TOPICS
from wm_bags.storage.mcap_file import COMPRESSIONS

ERROR_STATUS = 2  # 1: it ended by itself
DEFAULTS = {param.name: param.default for param in PARAMETERS}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="OUT", help="a new folder; with --snapshot the folder of the bags")
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help="only these; default: a complete recording of wm")
    parser.add_argument("-a", "--all", action="store_true", help="every topic that is not hidden")
    parser.add_argument("-e", "--regex", default="", help="topics in whose names this is found")
    parser.add_argument("-x", "--exclude", default="", metavar="REGEX", help="not those in whose names this is found")
    parser.add_argument("--rig", default=DEFAULTS["rig"], help="whose cameras belong to a complete recording")
    for name in CAMERA_TOPICS:
        option, text = f"--{name.replace('_', '-')}", "of a camera; default: where wm_perception says"
        parser.add_argument(option, default="", metavar="/{camera}/...", help=text)
    parser.add_argument("--compression", default="none", choices=COMPRESSIONS, help="of each chunk")
    parser.add_argument("-b", "--max-bag-bytes", type=int, default=0, help="begin another file at this size")
    parser.add_argument("-d", "--max-bag-seconds", type=float, default=0.0, help="begin another file after this time")
    free = DEFAULTS["min_free_bytes"]
    parser.add_argument("--min-free-bytes", type=int, default=free, help="stop before less is left on the disk")
    parser.add_argument("--namespace", default="", metavar="NS", help="of the launch, if it has one")
    parser.add_argument("--snapshot", action="store_true", help="write the last seconds when something happens")
    parser.add_argument("--before", type=float, default=DEFAULTS["before"], help="[s] before a trigger")
    parser.add_argument("--after", type=float, default=DEFAULTS["after"], help="[s] after the last trigger")


def run(options: argparse.Namespace) -> int:
    """Returns 1 when the recording ended by itself: a full disk, an error of it."""
    given = {name: value for name, value in vars(options).items() if name in DEFAULTS}
    given["mode"] = SNAPSHOT if options.snapshot else CONTINUOUS
    overrides = [Parameter(name, value=value) for name, value in given.items()]
    if options.topics:
        overrides.append(Parameter("topics", value=options.topics))
    rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        recorder = Recorder(parameter_overrides=overrides, namespace=options.namespace.strip("/"))
    except (ValueError, OSError) as error:
        rclpy.try_shutdown()
        raise ValueError(f"cannot record: {error}") from error
    recorder.reported = lambda status: _show(status, recorder.silent)
    spin(recorder, lambda: not stopping.is_set() and not recorder.stopped)
    return 1 if recorder.stopped else 0


def _show(status: RecorderStatus, silent: list[str]) -> None:
    print(
        f"{status.state}  {status.messages} messages ({status.messages_per_second:.0f}/s),"
        f" {status.bytes / 1e6:.1f} MB ({status.bytes_per_second / 1e6:.1f} MB/s), {status.dropped} dropped,"
        f" {status.lost} lost, {status.free_bytes / 1e9:.1f} GB free  {status.folder}"
        + (f"  SILENT: {', '.join(silent)}" if silent else ""),
        flush=True,
    )
