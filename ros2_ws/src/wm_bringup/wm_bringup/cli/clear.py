"""Clear the stops that the guard of a running wm has set by itself, such as that of a contact."""

import argparse

from wm_bringup.cli._running import add_namespace, trigger


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_namespace(parser)


def run(options: argparse.Namespace) -> int:
    return trigger(options, "wm/clear")
