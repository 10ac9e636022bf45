"""Stop the arm of a running wm: the emergency stop, which stays set until ./wm reset."""

import argparse

from wm_bringup.cli._running import add_namespace, trigger


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_namespace(parser)


def run(options: argparse.Namespace) -> int:
    return trigger(options, "wm/e_stop")
