"""What is found of crowded scenes in one look: objects alone, touching, on and under others; by geometry alone and with the network."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _common import groups, parser, recorded, table, write_json
from _results import Line
from scipy.optimize import linear_sum_assignment

from wm_core.outline import inside, turned
from wm_core.paths import bundles_dir, rig_path
from wm_core.rig import CameraRig
from wm_core.scene import SceneState
from wm_core.sensor_spec import load_sensor
from wm_core.solid import POINTS, Solid
from wm_data.scenes.crowds import colours_of
from wm_perception.scene.eye import SceneEye
from wm_perception.scene.parts import parts_of
from wm_perception.scene.surface import SurfaceCamera
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_world import load_scene_world
from wm_sim.world import WorldError
from wm_tasks.scenes.sight import surface_of

RIG = "two_cameras_fine"
METHODS = {
    "geometry": "what hangs together in the map of depth is one object",
    "with parts": "the same, taken apart by the bundle's network",
}
SENSORS = ("ideal", "realistic")
KINDS = "alone", "touching", "upper", "lower"
FOUND, OVERLAP = 0.02, 0.5  # [m] between middles; share of both footprints' union that both cover
TOUCHES = 0.01  # [m]
GRID = 0.003  # [m] between the places by which footprints are compared
PROTOCOL = f"""\
Protocol: starts of a world are drawn, rendered by two cameras and seen once. An object is found by a detection whose middle is
within {1000 * FOUND:.0f} mm and whose footprint covers {100 * OVERLAP:.0f} % of the union of both; each detection counts once.
touching: another is within {1000 * TOUCHES:.0f} mm and neither lies on the other. Seeds {{first}} to {{last}}."""

shared_parts = cache(parts_of)


@cache
def simulated(world: str, sensor: str) -> tuple[SceneSim, CameraRig]:
    rig = CameraRig.load(rig_path(RIG))
    if sensor != "ideal":
        rig = rig.with_sensor(load_sensor(sensor))
    loaded = load_scene_world(world)
    return SceneSim(replace(loaded, table_colour=colours_of(np.random.default_rng(1))), rig=rig), rig


def look(world: str, sensor: str, seed: int, bundle: Path) -> dict[str, Any]:
    """What each method finds of one scene."""
    sim, rig = simulated(world, sensor)
    try:
        sim.reset(seed)
    except WorldError:
        return {}
    camera = SurfaceCamera(rig, sim.kinematics)
    while not camera.settled:
        surface = surface_of(sim, camera)
    tool = sim.kinematics.tool(np.asarray(sim.arm.joint_state()[1][: len(sim.kinematics.joint_names)])).values
    kinds, found = kinds_of(sim), {}
    for method in METHODS:
        eye = SceneEye(shared_parts(bundle) if method == "with parts" else None)
        found[method] = matched(sim.scene, eye.look(surface, tool))
    return {"kinds": kinds, "found": found}


def kinds_of(sim: SceneSim) -> list[str]:
    """Of each object whether it is alone, or how it is with others."""
    solids = sim.solids
    kinds = ["alone"] * len(solids)
    for slot, one in enumerate(solids):
        for other, its in enumerate(solids):
            if other == slot or _apart(one, its):
                continue
            if one.lower[2] > its.upper[2] - TOUCHES:
                kinds[slot] = "upper"
            elif its.lower[2] > one.upper[2] - TOUCHES:
                kinds[slot] = "lower"
            elif kinds[slot] == "alone":
                kinds[slot] = "touching"
    return kinds


def _apart(one: Solid, other: Solid) -> bool:
    places = np.concatenate([part[:, :2] for part in one.parts])
    back = np.concatenate([part[:, :2] for part in other.parts])
    near = other.inside(_edges(one), TOUCHES).any() or one.inside(_edges(other), TOUCHES).any()
    return not (near or other.inside(places, TOUCHES).any() or one.inside(back, TOUCHES).any())


def _edges(solid: Solid) -> np.ndarray:
    """Places (n, 2) around the footprint."""
    centred = solid.moved(-solid.origin)
    return centred.outline + solid.origin[:2]


def matched(truth: SceneState, found: SceneState) -> dict[str, Any]:
    """Errors of each object [m], None where it was not found, and how many detections there were."""
    overlap = np.zeros((truth.slots, found.slots))
    off = np.full(overlap.shape, np.inf)
    for slot in range(truth.slots):
        for other in range(found.slots):
            off[slot, other] = np.linalg.norm(truth.position[slot, :2] - found.position[other, :2])
            if off[slot, other] < FOUND:
                overlap[slot, other] = _overlap(footprint(truth, slot), footprint(found, other))
    rows, columns = linear_sum_assignment(-overlap)
    errors: list[float | None] = [None] * truth.slots
    for slot, other in zip(rows, columns, strict=True):
        if overlap[slot, other] > OVERLAP:
            errors[slot] = round(float(off[slot, other]), 5)
    return {"errors": errors, "detections": int(found.slots)}


def footprint(scene: SceneState, slot: int) -> np.ndarray:
    outline = scene.shape[slot].reshape(POINTS, 2)
    return turned(outline, float(scene.yaw[slot])) + scene.position[slot, :2]


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    both = np.concatenate([one, other])
    axes = (np.arange(low, high, GRID) for low, high in zip(both.min(0), both.max(0), strict=True))
    places = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    first, second = inside(places, one), inside(places, other)
    return float((first & second).sum() / max((first | second).sum(), 1))


def tables(lines: list[Line]) -> str:
    rows = []
    for (world, sensor), found in groups(lines, "world", "sensor").items():
        results = [line["result"] for line in found if line["result"]]
        for method in METHODS:
            detections = sum(each["found"][method]["detections"] for each in results)
            pairs = [
                pair for each in results for pair in zip(each["kinds"], each["found"][method]["errors"], strict=True)
            ]
            hits = [error for _, error in pairs if error is not None]
            shares = []
            for kind in KINDS:
                mine = [error is not None for each, error in pairs if each == kind]
                shares.append(f"{100 * np.mean(mine):.1f} % of {len(mine)}" if mine else "-")
            median = f"{1000 * np.median(hits):.1f}" if hits else "-"
            rows.append((world, sensor, method, f"{100 * len(hits) / max(detections, 1):.1f} %", *shares, median))
    return table(("world", "sensor", "method", "precision", *KINDS, "off, median [mm]"), rows)


def main() -> None:
    options = parser(__doc__ or "", episodes=200)
    options.set_defaults(bundle=bundles_dir() / "scene")
    options.add_argument("--worlds", nargs="+", default=["crowd", "crowd_unseen"])
    options.add_argument("--sensors", nargs="+", default=list(SENSORS), choices=SENSORS)
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(first=seeds[0], last=seeds[-1]))
    print("\n".join(f"{name}: {METHODS[name]}" for name in METHODS))
    calls = {
        (world, sensor, seed): (world, sensor, seed, args.bundle)
        for world in args.worlds
        for sensor in args.sensors
        for seed in seeds
    }
    results = recorded("seeing", args, bundle=args.bundle, robot=False)
    lines = list(results.run(look, calls, ("world", "sensor", "seed"), args.workers))
    print("\n" + tables(lines))
    write_json(args.json, {"protocol": vars(args), "lines": lines})


if __name__ == "__main__":
    main()
