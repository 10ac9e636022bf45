"""The cameras of a simulated robot: ideal ones, or with what their rig says of the sensor."""

from dataclasses import replace

import numpy as np

from wm_core.camera_model import Lens, Undistortion
from wm_core.rig import Camera
from wm_core.sensor_spec import SensorSpec
from wm_description.physics import BulletClient
from wm_sim.lens import BendingLens
from wm_sim.rendering import SimCamera
from wm_sim.sensor_model import SensorModel, true_pose
from wm_sim.world import Light


class SimSensor:
    """One camera as its driver has it."""

    def __init__(self, client: BulletClient, camera: Camera, light: Light) -> None:
        """Raises ValueError for a lens that cannot be rendered."""
        spec = camera.sensor or SensorSpec()
        real = replace(camera, T_table_optical=true_pose(camera, spec))
        self._lens = BendingLens(real, spec.distortion) if spec.distorted else None
        self._camera = SimCamera(client, self._lens.wide if self._lens else real, light)
        self._model = SensorModel(camera, spec) if camera.sensor else None
        plain = Lens(camera.K, camera.width, camera.height)
        self._undistortion = Undistortion(
            replace(plain, model="plumb_bob", D=spec.distortion) if spec.distorted else plain
        )

    def reset(self, seed: int) -> None:
        """A new episode."""
        if self._model is not None:
            self._model.reset(seed)

    def render(self, time_ns: int) -> tuple[np.ndarray, np.ndarray]:
        """Colour (H, W, 3) uint8 RGB and depth (H, W) float32 [m], 0 where nothing was measured, `time_ns` after the reset."""
        images = self._camera.render()
        if self._lens is not None:
            images = self._lens.bend(*images)
        return images if self._model is None else self._model.apply(*images, time_ns)

    def rectified(self, rgb: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same images without the lens's distortion, as perception has them."""
        return self._undistortion.rgb(rgb), self._undistortion.depth(depth)
