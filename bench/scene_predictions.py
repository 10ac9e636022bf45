"""How well a bundle of scenes predicts held-out motions: by horizon and by what happens, beside copy-last and constant velocity."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import conclude, parser, recorded, table
from _results import Line

from wm_core.paths import bundles_dir
from wm_core.robot import load_robot
from wm_core.scene_bundle import SceneBundle
from wm_data.scenes.collect import collect_scenes
from wm_data.scenes.dataset import load_scenes
from wm_dynamics.scene_belief import SceneBelief
from wm_dynamics.scene_model import SceneModel
from wm_learning.families.scene.export import network_of
from wm_learning.figures.scene_judgements import contact_auroc, coverage, falling_auroc
from wm_learning.figures.scenes import HORIZONS, KINDS, errors
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_task import LIMIT, PERIOD
from wm_sim.scene_world import load_scene_world
from wm_sim.tool_driver import ToolDriver
from wm_tasks.explorers.scene import SceneExplorer

WORLDS = ("clutter", "single", "edge")
DIFFERENT = 0.01  # [m]
PROTOCOL = """\
Protocol: motions that nothing was trained on, drawn in the three shipped scenes from seeds {first} on, {episodes} starts each. Windows
begin at the true state and go on under the true motion of the tool; friction and mass are not known to the model. Mean error of the
position [mm] and the rotation [degrees] of the objects to which it happens: pushed by the hand, bumped by another object, carried,
sliding on, toppling, falling off the table. The model's mean over its members. Below: the share of truths within the bundle's 90 %
intervals of position / rotation; the area under the ROC curve of touching within a step (objects within 5 cm of the tip) and of falling
within a second (within 5 cm of the edge); and how often the model says rightly which of two pushes from the same start moves an object
further in the direction in which they differ (those that differ by at least 1 cm)."""


def tables(lines: list[Line]) -> str:
    rows = []
    for line in lines:
        for kind in KINDS:
            for method, by_horizon in line["result"].get(kind, {}).items():
                cells = [by_horizon.get(str(horizon), by_horizon.get(horizon)) for horizon in HORIZONS]
                said = [f"{cell[0]:.1f} / {cell[1]:.1f}" if cell else "-" for cell in cells]
                count = next((cell[2] for cell in cells if cell), 0)
                rows.append((kind, method, *said, count))
    parts = [table(("objects", "method", *(f"{horizon} steps" for horizon in HORIZONS), "windows"), rows)]
    for line in lines:
        held = line["result"].get("coverage", {})
        steps = sorted({int(step) for by_step in held.values() for step in by_step})
        cells = [
            (kind, *(_shares(by_step.get(str(step), by_step.get(step))) for step in steps))
            for kind, by_step in held.items()
        ]
        parts.append(table(("within 90 % intervals", *(f"{step} steps" for step in steps)), cells))
        said = [(name, f"{value:.3f}", count) for name, (value, count) in line["result"].get("judged", {}).items()]
        parts.append(table(("judged", "value", "cases"), said))
    return "\n\n".join(parts)


def _shares(pair: list[float] | None) -> str:
    return f"{100 * pair[0]:.0f} / {100 * pair[1]:.0f} %" if pair else "-"


def counterfactuals(bundle: SceneBundle, robot: str, seeds: range) -> tuple[float, int]:
    """How often the sign is right, and of how many pairs of pushes."""
    sim = SceneSim(load_scene_world("single"), load_robot(robot))
    driver, model = ToolDriver(sim, PERIOD), SceneModel(bundle, np.concatenate(sim.world.table))
    explorer = SceneExplorer(sim.hand, driver.lower, driver.upper, LIMIT, bundle.horizon, weights={"push": 1.0})
    right = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 80])
        sim.reset(seed)
        driver.anchor()
        belief, place = SceneBelief.of(sim.scene), sim.scene.position[0, :2].copy()
        ways: list[list[np.ndarray]] = [[], []]
        for _ in range(2):
            motion = explorer.draw(sim.scene, rng)
            with driver.saved() as back:
                if driver.teleport(motion.start):
                    futures = model.imagine(belief, driver.commanded.values, motion.moves[None], every=True)
                    ways[1].append(futures.states[:, 0, -1, 0, :2].mean(0) - place)
                    for move in motion.moves:
                        driver.move(move)
                    ways[0].append(sim.scene.position[0, :2] - place)
                back()
        if len(ways[0]) == 2:
            true, said = (pair[0] - pair[1] for pair in ways)
            if np.linalg.norm(true) > DIFFERENT:
                right.append(float(true @ said) > 0)
    sim.close()
    return float(np.mean(right)), len(right)


def main() -> int:
    options = parser(__doc__ or "", episodes=100)
    options.set_defaults(bundle=bundles_dir() / "scene")
    options.add_argument("--robot", default="panda", help="with a gripper")
    options.add_argument("--folder", type=Path, default=Path("runs/scene_predictions"), help="of the held-out motions")
    args = options.parse_args()
    print(PROTOCOL.format(first=args.seed, episodes=args.episodes))
    collect_scenes(list(WORLDS), args.episodes, args.folder, args.seed, args.workers, args.robot)
    torch.set_num_threads(1)
    bundle = SceneBundle.load(args.bundle)
    network = network_of(bundle)
    results = recorded("scene_predictions", args, "robot", "episodes", bundle=args.bundle, robot=False)
    line = results.done(seed=args.seed)
    if line is None:
        data = load_scenes(args.folder)
        found: dict[str, Any] = errors(network, data, known=False)
        found["coverage"] = coverage(network, data, bundle.intervals)
        found["judged"] = {
            "contact, AUROC": contact_auroc(network, data),
            "falling, AUROC": falling_auroc(network, data),
            "counterfactual sign": counterfactuals(bundle, args.robot, range(args.seed, args.seed + 3 * args.episodes)),
        }
        line = results.add(found, seed=args.seed)
    return conclude([line], tables, args.json)


if __name__ == "__main__":
    raise SystemExit(main())
