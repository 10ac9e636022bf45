"""What starts a scene's file draws: counted, and as one picture."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_core.robot import RobotProfile
from wm_core.rotations import uprightness
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_world import SceneWorld

COLUMNS = 4
LYING = 0.8  # cosine of the tilt below which an object lies


@dataclass(frozen=True)
class Starts:
    """Counts over all starts that were drawn."""

    objects: int
    kinds: Counter
    stacked: int
    touching: int
    lying: int


def tried_starts(world: SceneWorld, robot: RobotProfile, count: int) -> Starts:
    """Draw starts of the seeds 0 to `count` - 1; raises WorldError where no stable one is found."""
    sim = SceneSim(world, robot)
    kinds: Counter = Counter()
    stacked = touching = lying = 0
    try:
        for seed in range(count):
            sim.reset(seed)
            kinds.update(body.body.kind for body in sim.objects)
            scene, (_, together) = sim.scene, sim.touched()
            stacked += int((scene.position[:, 2] - scene.size[:, 2] / 2 > 0.01).sum())
            touching += int(together.any(1).sum())
            lying += int((uprightness(scene.rotation) < LYING).sum())
    finally:
        sim.close()
    return Starts(sum(kinds.values()), kinds, stacked, touching, lying)


def contact_sheet(world: SceneWorld, robot: RobotProfile, count: int, seed: int = 0) -> np.ndarray:
    """Starts of the seeds from `seed` on as the world's cameras see them, side by side (H, W, 3) uint8 RGB."""
    sim = SceneSim(world, robot, rig=CameraRig.load(rig_path(world.rig)))
    try:
        cells = []
        for each in range(seed, seed + count):
            sim.reset(each)
            views = [sim.render(camera)[0] for camera in sim.cameras]
            cells.append(
                _titled(np.concatenate(views, 1), f"{each}: {', '.join(body.body.kind for body in sim.objects)}")
            )
    finally:
        sim.close()
    blank = np.full_like(cells[0], 255)
    cells += [blank] * (-len(cells) % COLUMNS)
    rows = [np.concatenate(cells[i : i + COLUMNS], 1) for i in range(0, len(cells), COLUMNS)]
    return np.concatenate(rows)


def save_sheet(image: np.ndarray, file: Path) -> None:
    """Write a picture as a PNG; raises OSError."""
    data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data.tobytes())  # OpenCV's own writing says nothing of a full disk


def _titled(image: np.ndarray, title: str) -> np.ndarray:
    bar = np.full((16, image.shape[1], 3), 255, np.uint8)
    cv2.putText(bar, title, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.32, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([bar, image])
