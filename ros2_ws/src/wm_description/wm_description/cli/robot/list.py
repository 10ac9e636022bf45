"""List the robots that are shipped."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(options: argparse.Namespace) -> int:
    from wm_core.robot import load_robot, robot_names

    robots = [load_robot(name) for name in robot_names()]
    width = max(len(robot.name) for robot in robots)
    for robot in robots:
        print(f"{robot.name:{width}}  {robot.description}  ({robot.file})")
    return 0
