"""Draw a contact sheet of the starts that a scene's file draws, as its cameras see them: a PNG."""

import argparse
from pathlib import Path

STARTS = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("world", metavar="SCENE", help="a scene of sim_worlds/scenes, or the path of a file")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/world.png"), help="the picture (default: runs/world.png)"
    )
    parser.add_argument("--robot", default="panda", help="a robot of wm_description, or the path of a profile")
    parser.add_argument("--starts", type=int, default=STARTS, help=f"starts that are drawn (default: {STARTS})")
    parser.add_argument("--seed", type=int, default=0, help="of the first start")


def run(options: argparse.Namespace) -> int:
    from wm_core.robot import load_robot
    from wm_sim.contact_sheet import contact_sheet, save_sheet
    from wm_sim.scene_world import load_scene_world

    world = load_scene_world(options.world)
    save_sheet(contact_sheet(world, load_robot(options.robot), options.starts, options.seed), options.out)
    print(options.out)
    return 0
