"""How well a bundle of scenes predicts held-out motions: by horizon and by what happens, beside copy-last and constant velocity."""

from pathlib import Path

import torch
from _common import conclude, parser, recorded, table
from _results import Line

from wm_core.hand import Hand
from wm_core.paths import bundles_dir
from wm_core.robot import load_robot
from wm_core.scene_bundle import SceneBundle
from wm_data.scenes.collect import collect_scenes
from wm_data.scenes.dataset import load_scenes
from wm_learning.families.scene import SceneConfig, SceneNetwork
from wm_learning.families.scene.export import load_weights
from wm_learning.figures.scenes import HORIZONS, KINDS, errors

WORLDS = ("clutter", "single", "edge")
PROTOCOL = """\
Protocol: motions that nothing was trained on, drawn in the three shipped scenes from seeds {first} on, {episodes} starts each. Windows
begin at the true state and go on under the true motion of the tool; friction and mass are not known to the model. Mean error of the
position [mm] and the rotation [degrees] of the objects to which it happens: pushed by the hand, bumped by another object, carried,
sliding on, toppling, falling off the table. The model's mean over its members."""


def tables(lines: list[Line]) -> str:
    rows = []
    for line in lines:
        for kind in KINDS:
            for method, by_horizon in line["result"].get(kind, {}).items():
                cells = [by_horizon.get(str(horizon), by_horizon.get(horizon)) for horizon in HORIZONS]
                said = [f"{cell[0]:.1f} / {cell[1]:.1f}" if cell else "-" for cell in cells]
                count = next((cell[2] for cell in cells if cell), 0)
                rows.append((kind, method, *said, count))
    return table(("objects", "method", *(f"{horizon} steps" for horizon in HORIZONS), "windows"), rows)


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
    network = SceneNetwork(
        SceneConfig(members=bundle.ensemble, horizon=bundle.horizon), Hand.of(load_robot(args.robot))
    ).eval()
    load_weights(network, args.bundle)
    results = recorded("scene_predictions", args, "robot", "episodes", bundle=args.bundle, robot=False)
    line = results.done(seed=args.seed)
    if line is None:
        line = results.add(errors(network, load_scenes(args.folder), known=False), seed=args.seed)
    return conclude([line], tables, args.json)


if __name__ == "__main__":
    raise SystemExit(main())
