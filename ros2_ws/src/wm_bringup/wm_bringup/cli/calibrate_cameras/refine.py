"""Put right the pose of a camera that was bumped, without a board: by the table and the arm in its depth.

Listens while wm runs and the arm moves, or while a person moves it. What cannot be seen stays as it is, and is said: height and tilt
come from the table, the rest from the arm. For bumps of up to 3 cm; larger ones are refused: calibrate with the board.
"""

import argparse

from wm_bringup.cli._running import add_namespace, speaker
from wm_bringup.cli.calibrate_cameras._options import add_rig, add_topics, read_rig, topics

ERROR_STATUS = 2  # 1: one could not be seen, or was refused
PERIOD_S = 1.0  # between frames
LARGEST = 0.03  # [m] of the camera and at the table: farther off, points are taken for those of other surfaces


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_rig(parser)
    parser.add_argument("--frames", type=int, default=15, help="one a second (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="write nothing")
    add_topics(parser)
    parser.add_argument(
        "--aligned-depth",
        action="store_true",
        help="depth is aligned to colour, although its frame_id says another frame",
    )
    add_namespace(parser)


def run(options: argparse.Namespace) -> int:
    import time

    import numpy as np

    from wm_bringup.calibration.streams import Reader, Streams
    from wm_bringup.doctor.listen import simulated
    from wm_perception.calibration.rig_file import write_camera
    from wm_perception.camera_input import CameraInput
    from wm_perception.rig_check import ArmSurface, Depth, look

    kinematics, rig = read_rig(options)
    frames = {camera.name: list[Depth]() for camera in rig.cameras}
    with speaker(options.namespace) as wm:
        names = topics(options, kinematics.robot, *simulated(wm.node, wm.spin))
        inputs = {
            camera.name: CameraInput(camera, names.rectified_of(camera.name), names.aligned_depth)
            for camera in rig.cameras
        }
        readers = {
            name: Reader(names.depth.format(camera=name), names.info.format(camera=name), read.depth_alone, read.info)
            for name, read in inputs.items()
        }
        streams = Streams(wm.node, wm.spin, kinematics, readers, names.joints)
        streams.await_all()
        for _ in range(options.frames):
            for name, (frame, q) in streams.take(still=False).items():
                frames[name].append(Depth(frame.depth, frame.K, q))
            until = time.monotonic() + PERIOD_S
            while time.monotonic() < until:
                wm.spin(0.05)
    reach = kinematics.robot.reach
    workspace, surface, blind = np.array([reach.lower[:2], reach.upper[:2]]), ArmSurface(kinematics), 0
    for name, taken in frames.items():
        if inputs[name].implausible:
            print(f"{name}: {inputs[name].implausible}")
            blind += 1
            continue
        change = look(taken, rig[name].T_table_optical, surface, workspace, careful=True)
        if change is None:
            print(f"{name}: sees neither the table nor the arm where they should be: calibrate it with the board")
            blind += 1
            continue
        print(
            f"{name}: moved by {1e3 * change.shift:.1f} mm and {change.angle:.2f} degrees, {1e3 * change.at_table:.1f} mm at the table"
        )
        if change.unseen:
            print(
                f"  not seen, and left as it is: {', '.join(change.unseen)}; let the arm move to several places in this camera's view"
            )
        if max(change.shift, change.at_table) > LARGEST:
            print(
                f"  refused: expected a bump of {100 * LARGEST:g} cm or less, of the camera and at the table: calibrate it with the board"
            )
            blind += 1
        elif not options.check:
            write_camera(options.rig, kinematics.robot, name, change.pose)
            print(f"  written: {options.rig}")
    return 1 if blind else 0
