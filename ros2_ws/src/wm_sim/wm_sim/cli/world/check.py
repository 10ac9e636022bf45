"""Say whether a scene's file can be used: its fields, its kinds of objects, and whether stable starts are found.

Exit status 1: it cannot be used like this.
"""

import argparse

STARTS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("world", metavar="SCENE", help="a scene of sim_worlds/scenes, or the path of a file")
    parser.add_argument("--robot", default="panda", help="a robot of wm_description, or the path of a profile")
    parser.add_argument("--starts", type=int, default=STARTS, help=f"starts that are drawn (default: {STARTS})")


def run(options: argparse.Namespace) -> int:
    from wm_core.robot import load_robot
    from wm_sim.contact_sheet import tried_starts
    from wm_sim.scene_world import load_scene_world

    world = load_scene_world(options.world)
    found = tried_starts(world, load_robot(options.robot), options.starts)
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(found.kinds.items()))
    print(f"{options.world}: {options.starts} starts drawn, {found.objects} objects: {kinds}")
    print(f"{options.world}: on another {found.stacked}, touching {found.touching}, lying {found.lying}")
    print(f"{options.world}: can be used")
    return 0
