"""Where an object is believed that is pushed out of sight for two seconds, against believing that it stays or goes on as before."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _common import groups, parser, recorded, table, write_json
from _results import Line

from wm_core.hand import OPENING
from wm_core.paths import bundles_dir
from wm_core.pose_noise import PoseNoise, noisy
from wm_core.scene_bundle import SceneBundle
from wm_dynamics.scene_model import SceneModel
from wm_dynamics.scene_tracker import SceneTracker
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_task import LIMIT, PERIOD
from wm_sim.scene_world import load_scene_world
from wm_sim.tool_driver import ToolDriver
from wm_tasks.explorers.scene import SceneExplorer
from wm_tasks.scenes.physics_model import PhysicsModel

SEEN, HIDDEN = 6, 20  # steps of 0.1 s
MOVED = 0.05  # [m] that it must have been pushed meanwhile, to count
NEAR = 0.03  # [m]
TRIES = 40  # of a motion that pushes far enough
METHODS = {
    "wm": "the tracker with the learned model",
    "stays": "where it was seen last",
    "physics": "the simulator itself, with the true frictions and masses, from where the objects were believed then: the ceiling",
    "goes on": "with the velocity at which it was seen last",
}
PROTOCOL = """\
Protocol: a scene and a push are drawn from the seed as for collecting data, the first that moves an object by at least 5 cm in the two
seconds that follow the first 0.6 s. All objects are seen with noise of 3 mm and 3 degrees until then; that object is hidden for the two
seconds. The error is that of its place when it would be seen again. Seeds {first} to {last}; those below 10000 are for training."""


@cache
def made(world: str, bundle: Path) -> tuple[SceneSim, ToolDriver, SceneModel, PhysicsModel]:
    sim = SceneSim(load_scene_world(world))
    model = SceneModel(SceneBundle.load(bundle), np.concatenate(sim.world.table))
    return sim, ToolDriver(sim, PERIOD), model, PhysicsModel(sim)


def episode(world: str, seed: int, bundle: Path) -> dict[str, Any]:
    """The errors [m] of all methods; nothing where no push was far enough."""
    sim, driver, model, physics = made(world, bundle)
    rng = np.random.default_rng([seed, 79])
    explorer = SceneExplorer(sim.hand, driver.lower, driver.upper, LIMIT, SEEN + HIDDEN, weights={"push": 1.0})
    sim.reset(seed)
    driver.anchor()
    for _ in range(TRIES):
        result = _push(sim, driver, model, physics, explorer, rng)
        if result:
            return result
    return {}


def _push(
    sim: SceneSim,
    driver: ToolDriver,
    model: SceneModel,
    physics: PhysicsModel,
    explorer: SceneExplorer,
    rng: np.random.Generator,
) -> dict[str, Any]:
    noise = PoseNoise()
    tracker = SceneTracker(model, noise, PERIOD)
    motion = explorer.draw(sim.scene, rng)
    if not driver.teleport(motion.start):
        return {}
    tracker.update(noisy(sim.scene, noise, rng), driver.commanded.values, np.zeros(6), np.zeros(6))
    before, slot = np.zeros(6), -1
    start = last = ceiling = np.zeros((0, 3))
    for step, wanted in enumerate(motion.moves):
        tool = driver.commanded.values
        if step == SEEN:
            start, last = sim.scene.position.copy(), tracker.belief.state.copy()
            contacts = sim.touched()[0]
            if not contacts.any():
                return {}
            slot = int(np.argmax(contacts))
            ceiling = physics.imagine(tracker.belief, tool, motion.moves[None, step:]).states[0, 0, -1, slot, :3]
        driver.move(wanted)
        move = driver.commanded.values - tool
        move[OPENING] = wanted[OPENING]
        seen = noisy(sim.scene, noise, rng)
        if step >= SEEN:
            seen.position[slot] = np.nan
        tracker.update(seen, tool, move, before)
        before = move
    truth = sim.scene.position[slot]
    way = float(np.linalg.norm((truth - start[slot])[:2]))
    if way < MOVED or truth[2] < 0:
        return {}
    guesses = {
        "wm": tracker.belief.position[slot],
        "physics": ceiling,
        "stays": last[slot, :3],
        "goes on": last[slot, :3] + HIDDEN * PERIOD * last[slot, 7:10],
    }
    off = {name: round(float(np.linalg.norm((guess - truth)[:2])), 5) for name, guess in guesses.items()}
    return {"off_m": off, "way_m": round(way, 5)}


def tables(lines: list[Line]) -> str:
    rows = []
    for (world,), found in groups(lines, "world").items():
        counted = [line["result"] for line in found if line["result"]]
        for method in METHODS:
            off = np.array([each["off_m"][method] for each in counted if method in each["off_m"]])
            if len(off):
                median, most = 1000 * np.median(off), 1000 * np.quantile(off, 0.9)
                near = f"{100 * np.mean(off < NEAR):.0f} %"
                rows.append((world, method, f"{len(off)} of {len(found)}", f"{median:.1f}", f"{most:.1f}", near))
    return table(("world", "method", "counted", "off, median [mm]", "90 % [mm]", "within 3 cm"), rows)


def main() -> None:
    options = parser(__doc__ or "", episodes=100)
    options.set_defaults(bundle=bundles_dir() / "scene")
    options.add_argument("--worlds", nargs="+", default=["single", "clutter"])
    args = options.parse_args()
    seeds = range(args.seed, args.seed + args.episodes)
    print(PROTOCOL.format(first=seeds[0], last=seeds[-1]))
    calls = {(world, seed): (world, seed, args.bundle) for world in args.worlds for seed in seeds}
    results = recorded("scene_permanence", args, bundle=args.bundle, robot=False)
    lines = list(results.run(episode, calls, ("world", "seed"), args.workers))
    print("\n" + tables(lines))
    write_json(args.json, {"protocol": vars(args), "lines": lines})


if __name__ == "__main__":
    main()
