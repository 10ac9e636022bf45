"""What a simulator node simulates, by its parameters: one object, or a scene of several."""

from dataclasses import replace

from wm_core.lifecycle import WmNode
from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_core.robot import RobotProfile
from wm_core.sensor_spec import load_sensor
from wm_sim.arm_sim import ArmSim
from wm_sim.camera_profile import CameraProfile
from wm_sim.scene_arm import SceneArm
from wm_sim.scene_task import load_scene_task
from wm_sim.scene_world import load_scene_world
from wm_sim.window import Window
from wm_sim.world import load_world

Simulated = ArmSim | SceneArm


def simulated(node: WmNode, robot: RobotProfile, profile: CameraProfile) -> tuple[Simulated, CameraRig, Window | None]:
    """The arm, the cameras that are shown, and the window, if there is one."""
    if node.value("scene"):
        return _scene(node, robot, profile)
    world = load_world(node.value("world"), node.value("task"))
    rig, options = _rig(node, world.rig, profile), {"robot": robot, "randomise": node.value("randomise")}
    sim = ArmSim(world, rig, **options)
    window = Window(world, rig, node.get_logger().warning, **options) if node.value("gui") else None
    return sim, rig, window


def _scene(node: WmNode, robot: RobotProfile, profile: CameraProfile) -> tuple[SceneArm, CameraRig, None]:
    """A scene has cameras where a rig is given: drawing many objects costs time, and truth needs no picture."""
    task = load_scene_task(node.value("task")) if node.value("task") else None
    world = load_scene_world(node.value("world")) if task is None else task.world
    rig = _rig(node, world.rig, profile)
    if not node.value("rig"):
        rig = replace(rig, cameras=())
    if node.value("gui"):
        node.get_logger().warning("scenes have no window yet: look at the picture of a camera (rig)")
    return SceneArm(world, robot, rig, task), rig, None


def _rig(node: WmNode, of_world: str, profile: CameraProfile) -> CameraRig:
    """The cameras where the rig has them, with the driver's sizes and the sensor model that is asked for."""
    rig = CameraRig.load(rig_path(node.value("rig") or of_world))
    if sensor := node.value("sensor"):
        rig = rig.with_sensor(load_sensor(sensor))
    return profile.applied(rig, node.value("image_width"))
