"""How a simulated camera differs from an ideal one: a block of a rig file (`sensor`), or a file of its own (sim_worlds/sensors)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wm_core.checked_yaml import load_checked
from wm_core.paths import sensor_path

_POSITIVE = {"type": "number", "exclusiveMinimum": 0}


def _between(lower: float, upper: float) -> dict[str, Any]:
    return {"type": "number", "minimum": lower, "maximum": upper}


SENSOR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "seed": {"type": "integer", "minimum": 0},
        "depth_noise": _between(0, 0.1),
        "edge_holes": {"type": "integer", "minimum": 0, "maximum": 20},
        "edge_step": _POSITIVE,
        "grazing_deg": _between(1, 90),
        "dark": _between(0, 255),
        "exposure_target": _between(0, 1),
        "exposure_time": _POSITIVE,
        "latency": _between(0, 1),
        "depth_latency": _between(0, 1),
        "jitter": _between(0, 0.5),
        "distortion": {"type": "array", "items": _between(-1, 1), "minItems": 5, "maxItems": 5},
        "position_error": _between(0, 0.2),
        "rotation_error_deg": _between(0, 20),
    },
}


class SensorError(ValueError):
    """A sensor file that cannot be used: names the file and the field."""


@dataclass(frozen=True)
class SensorSpec:
    """A simulated RGB-D camera's faults. The defaults are an ideal camera: each field is off."""

    seed: int = 0  # of noise, jitter and the direction of the calibration error
    depth_noise: float = 0.0  # [m] standard deviation along the axis at 1 m; grows with the square of the distance
    edge_holes: int = 0  # [px] on each side of a step in depth where nothing is measured
    edge_step: float = 0.02  # [m] what a step is
    grazing_deg: float = 90.0  # from the normal: surfaces seen at a flatter angle return no depth
    dark: float = 0.0  # mean of red, green and blue, 0..255, below which a surface returns no depth
    exposure_target: float = 0.0  # brightness, 0..1 of white, that auto-exposure aims at; 0: none
    exposure_time: float = 0.5  # [s] time constant of auto-exposure
    latency: float = 0.0  # [s] from the exposure, which the stamp says, until the message is there
    depth_latency: float = 0.0  # [s] more of depth
    jitter: float = 0.0  # [s] standard deviation of the latency, which is never below 0
    distortion: tuple[float, ...] = (0.0,) * 5  # of the lens: k1, k2, p1, p2, k3 (plumb_bob), published in camera_info
    position_error: float = (
        0.0  # [m] the camera is that far from where the rig says, in a direction drawn with the seed
    )
    rotation_error_deg: float = 0.0  # and turned by that much about an axis drawn with it

    @property
    def distorted(self) -> bool:
        """Whether the lens distorts."""
        return any(self.distortion)

    @property
    def delayed(self) -> bool:
        """Whether messages come later than they were measured."""
        return self.latency + self.depth_latency + self.jitter > 0


def sensor_of(block: dict[str, Any]) -> SensorSpec:
    """From a checked block of a file."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in block.items()}
    return SensorSpec(**values)


def load_sensor(name_or_path: str | Path) -> SensorSpec:
    """By name (sim_worlds/sensors/NAME.yaml) or path; raises SensorError naming file and field."""
    file = sensor_path(name_or_path)
    try:
        return sensor_of(load_checked(file, SENSOR_SCHEMA, SensorError))
    except OSError as error:
        known = ", ".join(sorted(each.stem for each in file.parent.glob("*.yaml"))) or "none"
        raise SensorError(
            f"expected a sensor file, cannot read {file}: {error.strerror}; known beside it: {known}"
        ) from error
