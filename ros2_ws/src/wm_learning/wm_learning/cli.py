"""Command line: collect, dataset, train, reproduce."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from wm_learning.episode_bag import BagError

if TYPE_CHECKING:  # torch takes a second to import: not for --help
    from wm_learning.train import TrainConfig


def main(args: list[str] | None = None) -> int:
    options = _parser().parse_args(args)
    try:
        return options.run(options)
    except (BagError, ValueError, FileNotFoundError) as error:
        print(f"wm: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    from wm_learning.train import TrainConfig

    parser = argparse.ArgumentParser(prog="wm", description="From bags to model bundles.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    verb = verbs.add_parser("collect", help="collect exploration episodes in simulation into bags")
    verb.add_argument("--world", action="append", required=True, help="world name; may be repeated")
    verb.add_argument("--episodes", type=int, default=20, help="episodes per world")
    verb.add_argument("--steps", type=int, default=50, help="control periods per episode")
    verb.add_argument("--seed", type=int, default=0, help="seed of the first episode")
    verb.add_argument("--workers", type=int, default=2)
    verb.add_argument("--out", type=Path, required=True, help="folder for the bags")
    verb.set_defaults(run=_collect)

    verb = verbs.add_parser("dataset", help="build a dataset from bags")
    verb.add_argument("bags", type=Path, nargs="+")
    verb.add_argument("--out", type=Path, required=True)
    verb.add_argument("--workers", type=int, default=2)
    verb.set_defaults(run=_dataset)

    def training(verb: argparse.ArgumentParser) -> None:
        for field in fields(TrainConfig):
            verb.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)

    verb = verbs.add_parser("train", help="train on a dataset and export a bundle")
    verb.add_argument("dataset", type=Path)
    verb.add_argument("--out", type=Path, required=True, help="bundle folder")
    training(verb)
    verb.set_defaults(run=_train)

    verb = verbs.add_parser("reproduce", help="the shipped bundle from nothing: collect, dataset, train, export")
    verb.add_argument("--work", type=Path, default=Path("runs/reproduce"), help="folder for bags and dataset")
    verb.add_argument("--out", type=Path, default=Path("runs/reproduce/bundle"), help="bundle folder")
    verb.add_argument("--episodes", type=int, default=240, help="episodes per world")
    verb.add_argument("--steps", type=int, default=50)
    verb.add_argument("--workers", type=int, default=2)
    training(verb)
    verb.set_defaults(run=_reproduce)
    return parser


def _config(options: argparse.Namespace) -> "TrainConfig":
    from wm_learning.train import TrainConfig

    return TrainConfig(**{field.name: getattr(options, field.name) for field in fields(TrainConfig)})


def _collect(options: argparse.Namespace) -> int:
    from wm_learning.collect import collect

    collect(options.world, options.episodes, options.steps, options.out, options.seed, options.workers)
    return 0


def _dataset(options: argparse.Namespace) -> int:
    from wm_learning.dataset import build_dataset

    data = build_dataset(options.bags, options.out, options.workers)
    print(f"{options.out}: {len(data.episode)} steps of {len(data.seeds)} episodes")
    return 0


def _train(options: argparse.Namespace) -> int:
    from wm_learning.dataset import Dataset
    from wm_learning.pipeline import train_bundle

    train_bundle(Dataset.load(options.dataset), options.out, _config(options))
    return 0


def _reproduce(options: argparse.Namespace) -> int:
    from wm_learning.pipeline import reproduce

    reproduce(options.work, options.out, options.episodes, options.steps, options.workers, _config(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
