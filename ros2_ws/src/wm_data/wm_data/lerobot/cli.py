"""`./wm lerobot export|import`: LeRobot datasets v3.0 from bags, and to datasets of wm."""

import argparse
import sys
from pathlib import Path

from wm_data.dataset_build import Reading
from wm_data.dataset_files import read_facts
from wm_data.lerobot.export import TASK, export
from wm_data.lerobot.importing import import_dataset
from wm_data.lerobot.layout import LeRobotError
from wm_data.loading import find_bags


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError) as error:
        print(f"wm: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wm lerobot", description="LeRobot datasets, version v3.0.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser(
        "export",
        help="bags to a LeRobot dataset",
        description="Colour images become videos, depth 16-bit PNG in millimetres; see meta/wm.json for what LeRobot has no place"
        " for. A dataset of wm holds no images: export the bags it was built from.",
    )
    verb.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="bags or folders of bags")
    verb.add_argument("out", type=Path)
    verb.add_argument("--profile", type=Path, help="which topics play which role; `wm bag profile BAG` proposes one")
    verb.add_argument("--video", action="store_true", help="cameras and joints only: no actions, no labels")
    verb.add_argument(
        "--damaged", choices=["refuse", "skip"], default="refuse", help="skip: read what is around damage"
    )
    verb.add_argument("--task", default=TASK, help="text of the task; {world} is replaced (default: %(default)s)")
    verb.set_defaults(run=_export)

    verb = verbs.add_parser(
        "import",
        help="a LeRobot dataset to a dataset of wm",
        description="What export wrote comes back as the dataset that the bags give, but for the videos' loss. Others need depth"
        " images, this arm's joints, 10 frames a second, and a rig file; they are video, without actions and labels.",
    )
    verb.add_argument("folder", type=Path)
    verb.add_argument("out", type=Path)
    verb.add_argument("--rig", type=Path, help="poses and intrinsics of the cameras, where the dataset has none")
    verb.set_defaults(run=_import)
    return parser


def _export(options: argparse.Namespace) -> int:
    for place in options.bags:
        if (place / "dataset.json").is_file():
            names = [bag["name"] for bag in read_facts(place)["bags"]]
            raise LeRobotError(
                f"{place}: expected bags, got a dataset, which holds no images; export its bags: {names}"
            )
    info = export(
        find_bags(options.bags),
        options.out,
        Reading(options.profile, options.video, damaged=options.damaged),
        options.task,
    )
    print(f"{options.out}: {info['total_frames']} frames of {info['total_episodes']} episodes")
    return 0


def _import(options: argparse.Namespace) -> int:
    data = import_dataset(options.folder, options.out, options.rig)
    print(f"{options.out}: {len(data.episode)} steps of {len(data.seeds)} episodes{', video' if data.video else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
