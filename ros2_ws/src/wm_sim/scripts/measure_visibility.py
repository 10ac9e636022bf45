"""How often do the cameras of a rig see the object while the hand pushes it?

python scripts/measure_visibility.py [--world NAME] [--rig NAME] [--episodes N]

Prints, for each camera and for the best of all, the share of frames with fewer than 40 % of the pixels that the object
would have without the arm, over pushes from random sides; and whether the whole map of the table lies in every image.
"""

import argparse

import numpy as np

from wm_core.paths import rig_path
from wm_core.rig import Camera, CameraRig
from wm_core.specs import BevSpec
from wm_sim.action_driver import ActionDriver
from wm_sim.arm_sim import ArmSim
from wm_sim.world import load_world

ENOUGH = 0.4
NEAR = 0.13  # [m] frames with the tool this close to the object count


def sees_the_map(camera: Camera, spec: BevSpec) -> bool:
    """Whether all corners of the map of the table project into the image."""
    xs = [spec.x_min, spec.x_min + spec.cell * spec.rows]
    ys = [spec.y_min, spec.y_min + spec.cell * spec.columns]
    corners = np.array([[x, y, 0.0] for x in xs for y in ys])
    rays = (corners - camera.T_table_optical[:3, 3]) @ camera.T_table_optical[:3, :3]
    pixels = (rays / rays[:, 2:]) @ camera.K.T
    return bool(
        (rays[:, 2] > 0).all() and (pixels[:, :2] >= 0).all() and (pixels[:, :2] <= [camera.width, camera.height]).all()
    )


def object_pixels(sim: ArmSim, camera: str) -> np.ndarray:
    """Mask (H, W) of pixels that change when the object is hidden."""
    shown = sim.render(camera)
    sim.disturb(hidden=True)
    hidden = sim.render(camera)
    sim.disturb(hidden=False)
    return (np.abs(shown[1] - hidden[1]) > 1e-3) | (shown[0] != hidden[0]).any(-1)


def turn_arm(sim: ArmSim, angles: np.ndarray) -> None:
    """Put the arm somewhere without moving time; only a measurement may do this, so ArmSim does not offer it."""
    arm = sim._arm
    arm.show([*angles[: len(sim.home)], *arm.positions()[len(sim.home) :]])


def shares(sim: ArmSim, rig: CameraRig) -> list[float]:
    """Visible share of the object per camera, now, of what would be visible with the arm turned to its back."""
    visible = [object_pixels(sim, camera.name).sum() for camera in rig.cameras]
    q = sim.joint_state()[1][: len(sim.home)]
    turn_arm(sim, [2.8, *sim.home[1:]])
    whole = [object_pixels(sim, camera.name).sum() for camera in rig.cameras]
    turn_arm(sim, q)
    return [float(a) / max(1, int(b)) for a, b in zip(visible, whole, strict=True)]


def episode(sim: ArmSim, rig: CameraRig, rng: np.random.Generator, seed: int) -> list[list[float]]:
    """One push from a random side, through the object's middle or beside it; shares while the tool is near."""
    centre = sim.reset(seed)["object_xy"]
    side = rng.uniform(-np.pi, np.pi)
    forward = np.array([np.cos(side), np.sin(side)])
    offset = rng.normal() * 0.015 * np.array([-forward[1], forward[0]])
    path = [centre + offset + distance * forward for distance in np.arange(-0.12, 0.1, 0.015)]
    reach, tool = sim.robot.reach_region.corners, sim.robot.tool
    q = sim.kinematics.ik(np.array([*np.clip(path[0], *reach), tool.height]), tool.rotation, sim.home)
    turn_arm(sim, q)
    frames = []
    driver = ActionDriver(sim, 1.0, control_period=0.1)
    for point in path:
        driver.move(point - driver.commanded)
        place = sim.kinematics.fk(driver.joints())[0][:2]
        if np.linalg.norm(sim.object_pose()[0][:2] - place) < NEAR:
            frames.append(shares(sim, rig))
    return frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="tabletop_block")
    parser.add_argument("--rig", default="two_cameras")
    parser.add_argument("--episodes", type=int, default=60)
    arguments = parser.parse_args()
    rig = CameraRig.load(rig_path(arguments.rig))
    sim = ArmSim(load_world(arguments.world), rig)
    rng = np.random.default_rng(0)
    frames = np.array([frame for seed in range(arguments.episodes) for frame in episode(sim, rig, rng, seed)])
    print(f"{arguments.world}, {arguments.rig}: {len(frames)} frames of {arguments.episodes} pushes")
    for camera, seen in zip(rig.cameras, frames.T, strict=True):
        whole = "sees" if sees_the_map(camera, BevSpec()) else "does not see"
        hidden = f"{(seen < ENOUGH).mean():.1%} with less than {ENOUGH:.0%} of the object"
        print(f"  {camera.name}: {hidden}; {whole} the whole map")
    best = frames.max(1)
    print(f"  best camera: {(best < ENOUGH).mean():.1%}; median share {np.median(best):.0%}")


if __name__ == "__main__":
    main()
