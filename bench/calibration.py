"""Cameras calibrated from rendered views of a board, and bumped cameras noticed.

`solve`: a camera is drawn (place, lens with distortion), and how the arm holds the board, which is not quite printed to size; the arm
takes poses that `wm calibrate-cameras take` would choose, with joints that are measured with noise; images are traced ray by ray
(wm_sim.plates). The error is where points of the workspace come to lie (RMS) and how far they are turned. `notice`: two cameras
watch the arm move at random for 30 s, then one of them stands elsewhere, or none; the rig is a little wrong from the start,
as a calibration leaves it.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from _common import FIRST_TEST_SEED, groups, rate, recorded, result_options, table, write_json
from _results import Line

from wm_core.bundle import Bundle
from wm_core.camera_model import Lens
from wm_core.kinematics import Kinematics
from wm_core.paths import bundles_dir, rigs_dir
from wm_core.rig import CameraRig, looking_at
from wm_core.robot import load_robot
from wm_core.rotations import pose_of
from wm_perception.calibration.board import Board
from wm_perception.calibration.hand_eye import Solution, View, solve, turned
from wm_perception.calibration.poses import RoughCamera, board_is_clear, choose
from wm_perception.calibration.verdict import error_at, judge, table_points
from wm_perception.pipeline import CameraFrame
from wm_perception.rig_watch import PERIOD_S, RigWatch
from wm_sim.action_driver import ActionDriver
from wm_sim.arm_sim import ArmSim
from wm_sim.plates import Look, image_of
from wm_sim.world import load_world

WIDTH, HEIGHT = 640, 480
POSES = 25
JOINT_NOISE = 0.02  # [degrees] of a measured joint
PRINTED = 0.003  # by which the board's size is off
DEPTH_NOISE = 0.002  # [m] at 1 m, growing with the square of the distance
BUMP_AT = 30  # [s]
BUMPS = {"1 cm": (0.01, 0.0), "0.5 degrees": (0.0, 0.5), "none": (0.0, 0.0)}  # [m, degrees]
SCALE, PERIOD = 0.02, 0.1  # [m] of the tool in a period [s]
EPISODE = 20  # [s]
METHODS = {
    "known": "the lens is known, as from a camera_info that can be trusted",
    "solved": "the lens is solved for too, from a focal length that is 5 % wrong and no distortion",
}


def drawn_camera(rng: np.random.Generator, middle: np.ndarray) -> tuple[np.ndarray, Lens]:
    """A camera that looks at the workspace from anywhere around it but from behind the arm, and its lens."""
    around, up, away = rng.uniform(-2.2, 2.2), np.radians(rng.uniform(38, 65)), rng.uniform(0.75, 1.05)
    place = middle + away * np.array([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])
    target = middle + rng.uniform(-0.05, 0.05, 3)
    rotation = cv2.Rodrigues(rng.normal(0, 0.03, 3))[0] @ looking_at(place, target)
    focal = rng.uniform(560, 680)
    K = np.array([[focal, 0, WIDTH / 2 - 0.5], [0, focal * rng.uniform(0.998, 1.002), HEIGHT / 2 - 0.5], [0, 0, 1]])
    K[:2, 2] += rng.normal(0, 4, 2)
    D = (rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1), *rng.normal(0, 4e-4, 2), 0.0)
    return pose_of(rotation, place), Lens(K, WIDTH, HEIGHT, "plumb_bob", D)


def calibrated(seed: int) -> dict[str, dict[str, float]]:
    """One set-up: of each method the true error and what is reported."""
    rng = np.random.default_rng(seed)
    kinematics, board = Kinematics(load_robot()), Board()
    points = table_points(kinematics.robot)
    camera, lens = drawn_camera(rng, points.mean(0))
    held = turned(board.mounted, np.append(rng.normal(0, 0.04, 3), rng.normal(0, 0.006, 3)))
    about = Lens(np.array([[1.05 * lens.K[0, 0], 0, WIDTH / 2 - 0.5], [0, 1.05 * lens.K[0, 0], HEIGHT / 2 - 0.5], [0, 0, 1]]),
                 WIDTH, HEIGHT)  # fmt: skip
    poses = choose(
        kinematics, board, [RoughCamera("camera", camera, about)], POSES, lambda a, b: board_is_clear(kinematics, board, a, b),
        kinematics.robot.home.joints, seed,
    )  # fmt: skip
    printed = rng.uniform(1 - PRINTED, 1 + PRINTED)
    pattern, views, noise = board.pattern(), [], rng.uniform(1, 5)
    look = Look(
        samples=4, blur=rng.uniform(0.3, 0.9), noise=noise, black=rng.uniform(20, 60), white=rng.uniform(140, 230)
    )
    for pose in poses:
        seen = np.linalg.inv(camera) @ pose.tool @ held
        image = image_of(pattern, printed * board.size, seen, lens.K, np.array(lens.D), (HEIGHT, WIDTH), rng, look)
        found = board.find(image)
        if found is not None:
            position, rotation = kinematics.fk(pose.q + rng.normal(0, np.radians(JOINT_NOISE), len(pose.q)))
            views.append(View(pose_of(rotation, position), board.corners[found[1]], found[0]))
    truth = Solution(camera, held, lens)
    return {
        method: {"poses": len(poses), **_solved(views, prior or lens, prior, truth, points)}
        for method, prior in (("known", None), ("solved", about))
    }


def _solved(views: list[View], lens: Lens, prior: Lens | None, truth: Solution, points: np.ndarray) -> dict[str, float]:
    began = time.process_time()
    solution = solve(views, lens, prior is not None)
    verdict = judge(views, solution, points, prior)
    spent = time.process_time() - began
    shift, angle = error_at(solution, truth, points)
    return {
        "views": len(views),
        "true_mm": 1e3 * shift,
        "true_deg": angle,
        "reported_mm": verdict.table_mm,
        "reported_deg": verdict.table_deg,
        "held_out_px": verdict.held_out_px,
        "held_out_mm": verdict.held_out_mm,
        "held_out_deg": verdict.held_out_deg,
        "accepted": not verdict.faults,
        "cpu_s": spent,
    }


def bumped(rig: CameraRig, name: str, shift: float, degrees: float, rng: np.random.Generator) -> CameraRig:
    """The rig with a camera moved by `shift` [m] and turned by `degrees` in drawn directions."""
    along, about = (vector / np.linalg.norm(vector) for vector in rng.normal(size=(2, 3)))
    cameras = []
    for camera in rig.cameras:
        pose = camera.T_table_optical
        if camera.name == name:
            turn = cv2.Rodrigues(about * np.radians(degrees))[0]
            pose = pose_of(turn @ pose[:3, :3], pose[:3, 3] + shift * along)
        cameras.append(replace(camera, T_table_optical=pose))
    return replace(rig, cameras=tuple(cameras))


def watched(seed: int, kind: str, seconds: int) -> dict[str, float]:
    """Seconds until a bump of a kind (`1 cm`, `0.5 degrees`, `none`) is noticed, and alarms before it."""
    rng = np.random.default_rng(seed)
    rig = CameraRig.load(rigs_dir() / "two_cameras.yaml")
    name = rig.cameras[int(rng.integers(len(rig.cameras)))].name
    shift, degrees = BUMPS[kind]
    truth = bumped(rig, name, shift, degrees, rng)
    sims = [ArmSim(load_world("tabletop_block"), each) for each in (rig, truth)]  # one is moved, both are looked at
    robot = sims[0].robot
    wrong = rig
    for camera in rig.cameras:  # as a calibration leaves it
        wrong = bumped(wrong, camera.name, rng.uniform(0, 0.001), rng.uniform(0, 0.1), rng)
    watch = RigWatch(wrong, Kinematics(robot), Bundle.load(bundles_dir() / "default").bev, threaded=False)
    driver = ActionDriver(sims[0], SCALE, PERIOD)
    alarms, noticed, others, cpu = 0, None, 0, 0.0
    until_reset = 0
    for moment in range(round(seconds / PERIOD_S)):
        at = moment * PERIOD_S
        if at >= until_reset:
            for sim in sims:
                sim.reset(seed + until_reset)
            driver.anchor()
            until_reset += EPISODE
        target = rng.uniform(robot.reach.lower[:2], robot.reach.upper[:2])
        for _ in range(round(PERIOD_S / PERIOD)):
            driver.act(np.clip((target - driver.commanded) / SCALE, -1, 1))
        bumps = kind != "none" and at >= BUMP_AT
        frames, q = _frames(sims, bumps, rng), driver.joints()
        began = time.process_time()
        watch.add(frames, q, round(at * 1e9))
        cpu += time.process_time() - began
        alarms += bool(not bumps and watch.moved)
        others += bool(bumps and set(watch.moved) - {name})
        if bumps and noticed is None and name in watch.moved:
            noticed = at - BUMP_AT
    for sim in sims:
        sim.close()
    return {"noticed_s": noticed, "alarms": alarms, "wrong_camera": others, "cpu_ms_a_second": 1e3 * cpu / seconds}


def _frames(sims: list[ArmSim], bumps: bool, rng: np.random.Generator) -> dict[str, CameraFrame]:
    """What the cameras of the first simulator see, or of the second one with arm and object as in the first."""
    sim = sims[int(bumps)]
    if bumps:
        sim.show(sims[0].body_state())
    found = {}
    for camera in sim.rig.cameras:
        rgb, depth = sim.render(camera.name)
        noise = rng.normal(0, DEPTH_NOISE, depth.shape) * depth**2
        found[camera.name] = CameraFrame(rgb, np.where(depth > 0, depth + noise, 0).astype(np.float32), camera.K)
    return found


def tables(lines: list[Line]) -> str:
    """Calibrations; bumps and quiet hours."""
    found = []
    solved = [line for line in lines if line["part"] == "solve"]
    if solved:
        header = ("lens", "set-ups", "error [mm]: median / largest", "[degrees]", "reported [mm]: median", "[degrees]")
        header = (*header, "RMS true / RMS reported", "within a factor of 1.5", "2 mm and 0.2 degrees", "accepted")
        found.append(
            table(header, [_solve_row(method, [line["result"][method] for line in solved]) for method in METHODS])
        )
    watched_lines = [line for line in lines if line["part"] == "notice"]
    if watched_lines:
        header = (
            "bump",
            "runs",
            "noticed within 10 s",
            "after [s]: median / longest",
            "alarms before it",
            "other camera named",
        )
        header = (*header, "CPU [ms a second]")
        found.append(table(header, [_notice_row(*key, rows) for key, rows in groups(watched_lines, "method").items()]))
    return "\n\n".join(found)


def _solve_row(method: str, results: list[dict]) -> tuple:
    true, reported, angle, said = (
        np.array([each[name] for each in results]) for name in ("true_mm", "reported_mm", "true_deg", "reported_deg")
    )
    ratio = np.maximum(true / reported, reported / true)
    return (
        method,
        len(results),
        f"{np.median(true):.2f} / {true.max():.2f}",
        f"{np.median(angle):.3f} / {angle.max():.3f}",
        f"{np.median(reported):.2f}",
        f"{np.median(said):.3f}",
        f"{np.sqrt(np.mean(true**2) / np.mean(reported**2)):.2f}",
        rate(ratio <= 1.5),
        rate((true <= 2.0) & (angle <= 0.2)),
        rate(each["accepted"] for each in results),
    )


def _notice_row(kind: str, lines: list[Line]) -> tuple:
    results = [line["result"] for line in lines]
    cpu = f"{np.mean([each['cpu_ms_a_second'] for each in results]):.0f}"
    minutes = sum(line["seconds"] for line in lines) / 60
    alarms = sum(each["alarms"] for each in results)
    if kind == "none":
        return f"none, {minutes:.0f} minutes", len(lines), "-", "-", f"{alarms} s", "-", cpu
    times = [np.inf if each["noticed_s"] is None else each["noticed_s"] for each in results]
    return (
        kind,
        len(lines),
        rate(each <= 10 for each in times),
        f"{np.median(times):.0f} / {max(times):.0f}",
        f"{alarms} s",
        sum(each["wrong_camera"] > 0 for each in results),
        cpu,
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--setups", type=int, default=20, help="set-ups, and bumps of each kind")
    options.add_argument("--minutes", type=int, default=60, help="without a bump")
    options.add_argument("--seed", type=int, default=FIRST_TEST_SEED)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--parts", nargs="+", choices=("solve", "notice"), default=["solve", "notice"])
    options.add_argument("--json", type=Path, default=None)
    result_options(options)
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.setups)
    lines: list[Line] = []
    if "solve" in args.parts:
        calls = {("solve", seed): (calibrated, seed) for seed in seeds}
        facts = {"size": [WIDTH, HEIGHT], "poses": POSES, "joint_noise_deg": JOINT_NOISE, "printed": PRINTED}
        lines += _measured(args, calls, ("part", "seed"), facts)
    if "notice" in args.parts:
        kinds = [kind for kind in BUMPS if kind != "none"]
        calls = {("notice", kind, seed, 60): (watched, seed, kind, 60) for kind in kinds for seed in seeds}
        quiet = range(args.seed, args.seed + max(1, args.minutes // 10))
        calls |= {("notice", "none", seed, 600): (watched, seed, "none", 600) for seed in quiet}
        lines += _measured(
            args, calls, ("part", "method", "seed", "seconds"), {"depth_noise_m": DEPTH_NOISE, "bump_at_s": BUMP_AT}
        )
    print(tables(lines))
    write_json(args.json, {"results": lines})


def _measured(args: argparse.Namespace, calls: dict[tuple, tuple], names: tuple[str, ...], facts: dict) -> list[Line]:
    results = recorded("calibration", args, **facts)
    lines = list(results.run(_call, calls, names, args.workers))
    results.close()
    return lines


def _call(function, *arguments) -> dict[str, float]:
    return function(*arguments)


if __name__ == "__main__":
    main()
