"""Bring a bundle of an older schema to the present one, in its place; its graphs stay as they are."""

import argparse
from pathlib import Path

from wm_core.bundle_conversion import convert
from wm_core.registry import BUNDLES, Registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="of the bundle, in the registry or elsewhere")


def run(options: argparse.Namespace) -> int:
    registry, folder = Registry(), options.folder.expanduser().absolute()
    if folder.parent == registry.folder / BUNDLES:
        registry.convert(folder.name)
    else:
        convert(folder)
    print(f"converted {folder}")
    return 0
