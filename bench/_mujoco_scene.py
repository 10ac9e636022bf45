"""A scene of wm's simulator in MuJoCo, with everything that is true of it: meshes, masses, frictions, and the hand's boxes."""

from xml.etree import ElementTree

import mujoco
import numpy as np

from wm_core.hand import OPENING
from wm_core.scene import SceneState
from wm_sim.scene_sim import FINGER_FRICTION, SceneSim

TIMESTEP = 0.01  # [s]
GAIN, DAMPING = 20000.0, 400.0  # of the position servos of the hand, which weighs 1 kg
TOOL_JOINTS = 7  # x, y, z, yaw, pitch, and two fingers


class MujocoScene:
    """The model of one episode; `model` is MuJoCo's."""

    def __init__(self, sim: SceneSim) -> None:
        root = ElementTree.Element("mujoco")
        ElementTree.SubElement(root, "compiler", angle="radian")
        ElementTree.SubElement(root, "option", timestep=str(TIMESTEP), integrator="implicitfast", cone="elliptic")
        assets, world = ElementTree.SubElement(root, "asset"), ElementTree.SubElement(root, "worldbody")
        _table(sim, world)
        _hand(sim, root, world)
        for slot in range(len(sim.objects)):
            _object(sim, slot, assets, world)
        self.model = mujoco.MjModel.from_xml_string(ElementTree.tostring(root, encoding="unicode"))
        self._data = mujoco.MjData(self.model)

    def state(self, scene: SceneState, tool: np.ndarray) -> np.ndarray:
        """MuJoCo's full state for a scene and a tool state (6,), with all objects at rest."""
        self._data.qpos[:] = np.concatenate([controls(tool), *(_pose(scene, slot) for slot in range(scene.slots))])
        self._data.qvel[:] = 0.0
        found = np.empty(mujoco.mj_stateSize(self.model, mujoco.mjtState.mjSTATE_FULLPHYSICS))
        mujoco.mj_getState(self.model, self._data, found, mujoco.mjtState.mjSTATE_FULLPHYSICS)
        return found

    def scene(self, identities: tuple[str, ...], states: np.ndarray) -> SceneState:
        """All objects in full states (..., S)."""
        rows = states[..., 1 + TOOL_JOINTS : 1 + self.model.nq].reshape(*states.shape[:-1], -1, 7)
        found = SceneState.unknown(identities, states.shape[:-1])
        found.position[:], found.rotation[:] = rows[..., :3], np.roll(rows[..., 3:], -1, -1)  # MuJoCo says w first
        return found


def controls(tool: np.ndarray) -> np.ndarray:
    """Targets (..., 7) of the servos for tool states (..., 6)."""
    half = np.asarray(tool)[..., OPENING : OPENING + 1] / 2
    return np.concatenate([np.asarray(tool)[..., :OPENING], half, half], -1)


def _pose(scene: SceneState, slot: int) -> np.ndarray:
    x, y, z, w = scene.rotation[slot]
    return np.array([*scene.position[slot], w, x, y, z])


def _text(values: np.ndarray | tuple[float, ...]) -> str:
    return " ".join(f"{value:.6g}" for value in np.ravel(values))


def _table(sim: SceneSim, world: ElementTree.Element) -> None:
    lower, upper = sim.world.table
    middle, half = (lower + upper) / 2, (upper - lower) / 2
    ElementTree.SubElement(
        world, "geom", type="box", pos=_text((*middle, -0.05)), size=_text((*half, 0.05)), friction="0.01 0.001 0.0003"
    )


def _hand(sim: SceneSim, root: ElementTree.Element, world: ElementTree.Element) -> None:
    """A chain of servos; what it touches takes the higher of both frictions."""
    hand, servos = sim.hand, ElementTree.SubElement(root, "actuator")

    def joint(body: ElementTree.Element, name: str, kind: str, axis: str) -> None:
        ElementTree.SubElement(body, "joint", name=name, type=kind, axis=axis, armature="0.1")
        ElementTree.SubElement(servos, "position", joint=name, kp=str(GAIN), kv=str(DAMPING))

    def box(body: ElementTree.Element, size: np.ndarray, middle: tuple[float, ...]) -> None:
        friction = f"{FINGER_FRICTION * 0.6:.3g} 0.01 0.0003"  # with an object of usual friction
        ElementTree.SubElement(
            body,
            "geom",
            type="box",
            size=_text(size / 2),
            pos=_text(middle),
            mass="0.3",
            friction=friction,
            priority="2",
        )

    body = ElementTree.SubElement(world, "body", name="hand", gravcomp="1")
    for name, axis in (("x", "1 0 0"), ("y", "0 1 0"), ("z", "0 0 1")):
        joint(body, name, "slide", axis)
    joint(body, "yaw", "hinge", "0 0 1")
    joint(body, "pitch", "hinge", "0 1 0")
    box(body, hand.palm, tuple(hand.palm_position))
    for name, side in (("left", 1.0), ("right", -1.0)):
        finger = ElementTree.SubElement(body, "body", name=name, gravcomp="1")
        joint(finger, name, "slide", f"0 {side:g} 0")
        box(finger, hand.finger, (0.0, side * hand.finger[1] / 2, hand.finger_z))


def _object(sim: SceneSim, slot: int, assets: ElementTree.Element, world: ElementTree.Element) -> None:
    made = sim.objects[slot]
    body = ElementTree.SubElement(world, "body", name=f"object_{slot}")
    ElementTree.SubElement(body, "freejoint")
    volumes = np.array([np.prod(np.ptp(part, axis=0)) for part in made.solid.parts])
    friction = f"{made.body.friction * sim.friction:.4g} 0.001 0.0003"
    for number, (part, share) in enumerate(zip(made.solid.parts, volumes / volumes.sum(), strict=True)):
        name = f"mesh_{slot}_{number}"
        ElementTree.SubElement(assets, "mesh", name=name, vertex=_text(part))
        ElementTree.SubElement(
            body, "geom", type="mesh", mesh=name, mass=f"{made.body.mass * share:.5g}", friction=friction, priority="1"
        )
