"""Reset the emergency stop of a running wm: what was paused goes on."""

import argparse

from wm_bringup.cli._running import add_namespace, trigger


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_namespace(parser)


def run(options: argparse.Namespace) -> int:
    return trigger(options, "wm/e_stop_reset")
