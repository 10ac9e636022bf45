"""Solve where the cameras stand from views that were taken, judge that on held-out poses, and write the rig.

Refused are calibrations from too few poses or too little rotation, and those whose held-out poses or expected error say that they
are bad; what to add is said. Exit status 0: all cameras are solved and written, 1: one was refused
or has no views, and nothing of it is written.
"""

import argparse
from pathlib import Path

from wm_bringup.cli.calibrate_cameras._options import add_rig, read_rig

ERROR_STATUS = 2  # 1: refused, or without views


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of `take`: images and joints")
    add_rig(parser)
    parser.add_argument(
        "--intrinsics",
        action="store_true",
        help="solve for the lens too, where camera_info cannot be trusted; needs views all over the image",
    )
    parser.add_argument("--check", action="store_true", help="write nothing")


def run(options: argparse.Namespace) -> int:
    import yaml

    from wm_bringup.calibration.report import said
    from wm_core.atomic import write_synced
    from wm_perception.calibration.hand_eye import Solution, SolveError, solve
    from wm_perception.calibration.lens import camera_info
    from wm_perception.calibration.rig_file import write_camera
    from wm_perception.calibration.samples import Samples, SamplesError
    from wm_perception.calibration.verdict import judge, missing, table_points

    kinematics, rig = read_rig(options)
    samples, table, refused = Samples.open(options.folder), table_points(kinematics.robot), 0
    names = [camera.name for camera in rig.cameras if camera.name in samples.cameras]
    if not names:
        raise SamplesError(
            f"{options.folder}: expected views of {[c.name for c in rig.cameras]}, found those of {samples.cameras}"
        )
    for name in names:
        seen, before = samples.read(name, kinematics), rig[name].T_table_optical
        prior = seen.lens if options.intrinsics else None
        try:
            solution = solve(seen.views, seen.lens, options.intrinsics)
            verdict = judge(seen.views, solution, table, prior, samples.board_file)
        except SolveError as error:
            faults = [str(error), *missing(seen.views, None, False)]
            print(
                "\n".join(
                    [
                        f"{name}: {len(seen.views)} poses, unseen in {len(seen.unseen)}",
                        *(f"  refused: {each}" for each in faults),
                    ]
                )
            )
            refused += 1
            continue
        print(said(name, seen, solution, verdict, Solution(before, solution.board, seen.lens), table))
        refused += bool(verdict.faults)
        if verdict.faults or options.check:
            continue
        write_camera(options.rig, kinematics.robot, name, solution.camera, solution.lens)
        print(f"  written: {options.rig}")
        if prior:
            file = options.folder / name / "camera_solved.yaml"
            write_synced(file, yaml.safe_dump(camera_info(solution.lens, name), sort_keys=False))
            print(
                f"  the lens: {file}; give it to the camera's driver as its camera_info_url, perception reads camera_info"
            )
    without = [camera.name for camera in rig.cameras if camera.name not in names]
    if without:
        print(
            f"no views of {', '.join(without)} in {options.folder}, left as the rig has it: take some, or name the others with --cameras"
        )
    return 1 if refused or without else 0
