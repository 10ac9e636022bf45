"""Take views of the board: the arm goes through poses, a person guides it, or a recording is read.

Without --guide and --bag the arm moves by itself, slowly, through a guard of its own; end ./wm launch before, and stay at the emergency
stop. Images and joints are kept in FOLDER; taking again adds to them. Then: ./wm calibrate-cameras solve FOLDER.
"""

import argparse
from pathlib import Path
from typing import Any

from wm_bringup.cli._launched import robot_parameters
from wm_bringup.cli._running import add_namespace, speaker
from wm_bringup.cli.calibrate_cameras._options import add_rig, add_topics, read_rig, topics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="for images and joints")
    add_rig(parser)
    parser.add_argument("--board", type=Path, required=True, metavar="FILE", help="board.yaml")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--guide", action="store_true", help="a person moves the arm, and presses Enter at each pose")
    how.add_argument("--bag", type=Path, help="a recording in which the arm rests at each pose for 0.7 s or longer")
    parser.add_argument("--poses", type=int, default=25, help="for each camera (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of poses: another one adds others")
    parser.add_argument("--yes", action="store_true", help="do not ask before the arm moves")
    add_topics(parser)
    parser.add_argument(
        "--controller-topic", default="", metavar="TOPIC", help="in place of trajectory_topic of wm_guard"
    )
    add_namespace(parser)


def run(options: argparse.Namespace) -> int:
    from wm_perception.calibration.board import Board
    from wm_perception.calibration.poses import RoughCamera
    from wm_perception.calibration.samples import Samples

    kinematics, rig = read_rig(options)
    samples = Samples.begin(options.folder, Board.load(options.board))
    if options.bag:
        from wm_bringup.calibration.recorded import has_joints, take_recorded

        names = topics(options, kinematics.robot, False, False)
        if not has_joints(options.bag, names):  # recorded in simulation
            names = topics(options, kinematics.robot, False, True)
        counts = take_recorded(options.bag, samples, kinematics, [camera.name for camera in rig.cameras], names)
        for name, taken in counts.items():
            print(f"{name}: {taken.added} views" + (f"; {taken.known} were there already" if taken.known else ""))
        return 0
    from wm_bringup.calibration.streams import Streams, WholeImages
    from wm_bringup.doctor.listen import simulated

    with speaker(options.namespace) as wm:
        names = topics(options, kinematics.robot, *simulated(wm.node, wm.spin))
        cameras = {
            name: WholeImages(
                names.colour.format(camera=name), names.info.format(camera=name), names.rectified_of(name).colour
            )
            for name in (camera.name for camera in rig.cameras)
        }
        readers = {name: camera.reader for name, camera in cameras.items()}
        streams = Streams(wm.node, wm.spin, kinematics, readers, names.joints)
        streams.await_all()
        lenses = {name: camera.lens for name, camera in cameras.items()}
        for name, lens in lenses.items():
            samples.add_camera(name, lens)
        if options.guide:
            _guided(streams, samples)
        else:
            about = [RoughCamera(camera.name, camera.T_table_optical, lenses[camera.name]) for camera in rig.cameras]
            _moved(options, wm, streams, samples, kinematics, about, names)
    print(f"kept in {options.folder}; then: ./wm calibrate-cameras solve {options.folder} --rig {options.rig}")
    return 0


def _keep(streams: Any, samples: Any) -> str:
    """Takes one view with all cameras; how many corners each sees."""
    said = []
    for name, (image, q) in streams.take().items():
        found = samples.board.find(image)
        if found is not None:
            samples.add(name, image, streams.named(q))
        said.append(f"{name} {'does not see the board' if found is None else f'sees {len(found[1])} corners'}")
    return ", ".join(said)


def _guided(streams: Any, samples: Any) -> None:
    print(
        "Bring the arm to a pose, let it rest, press Enter; q and Enter ends. Turn the board by 20 degrees and more, every way."
    )
    count = 0
    while input(f"pose {count + 1}: ").strip() != "q":
        print(f"  {_keep(streams, samples)}", flush=True)
        count += 1


def _moved(
    options: argparse.Namespace, wm: Any, streams: Any, samples: Any, kinematics: Any, about: Any, names: Any
) -> None:
    from wm_bringup.calibration.arm import ArmError, collision_free, guarded_arm
    from wm_bringup.calibration.tour import tour
    from wm_perception.calibration.poses import choose

    free = collision_free(kinematics, samples.board)
    poses = choose(kinematics, samples.board, about, options.poses, free, streams.joints, options.seed)
    if not poses:
        raise ArmError(
            "expected poses at which a camera sees the board, found none: check the rig's poses, the board's mount in its file, and"
            " bring the arm to a place from which it can rise; or guide it (--guide)"
        )
    for camera in about:
        print(f"{camera.name} should see the board in {sum(camera.name in pose.cameras for pose in poses)} poses")
    print(f"The arm will go through {len(poses)} poses with the board. Ctrl-C holds it.", flush=True)
    if not options.yes:
        input("Enter: begin ")
    with guarded_arm(wm.node, wm.spin, streams, kinematics, robot_parameters(options), names) as arm:
        for number, _ in tour(arm.go, streams.joints, poses, free):
            print(f"  pose {number} of {len(poses)}: {_keep(streams, samples)}", flush=True)
