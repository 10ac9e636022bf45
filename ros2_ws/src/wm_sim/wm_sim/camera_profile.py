"""What a camera's driver publishes, as data: topics, encodings, frames, size and rate. Read from sim_worlds/cameras/*.yaml."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wm_core.checked_yaml import load_checked
from wm_core.paths import camera_profile_path
from wm_core.rig import Camera, CameraRig, intrinsics

COLOUR_CHANNELS = {
    "rgb8": (0, 1, 2),
    "bgr8": (2, 1, 0),
    "rgba8": (0, 1, 2, 3),
    "bgra8": (2, 1, 0, 3),
}  # of r, g, b, 255
DEPTH_UNITS = {"16UC1": 0.001, "32FC1": 1.0}  # [m] after REP-118
PLUMB_BOB = "plumb_bob"
COEFFICIENTS = {PLUMB_BOB: 5, "rational_polynomial": 8}  # those that come after the first five are 0 here

_TOPIC = {"type": "string", "pattern": r"^[a-z{][A-Za-z0-9_/{}]*$"}
_POSITIVE = {"type": "number", "exclusiveMinimum": 0}


def _block(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "additionalProperties": False, "properties": properties}


def _stream(**properties: Any) -> dict[str, Any]:
    return _block(("topic", "encoding", "frame_id"), topic=_TOPIC, frame_id={"type": "string"}, **properties)


_SCHEMA = _block(
    ("driver", "colour", "depth", "info"),
    driver={"type": "string"},
    colour=_stream(encoding={"enum": list(COLOUR_CHANNELS)}),
    depth=_stream(encoding={"enum": list(DEPTH_UNITS)}, unit=_POSITIVE),
    info=_block(("topic", "distortion_model"), topic=_TOPIC, distortion_model={"enum": list(COEFFICIENTS)}),
    rectified={"type": "boolean"},
    size={"type": "array", "items": {"type": "integer", "minimum": 8}, "minItems": 2, "maxItems": 2},
    fov_y_deg={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 180},
    rates={"type": "array", "items": _POSITIVE, "minItems": 1},
)


class CameraProfileError(ValueError):
    """A camera profile that cannot be used: names the file and the field."""


@dataclass(frozen=True)
class Stream:
    """Images on a topic; topic and frame with the camera's name in place of `{camera}`."""

    topic: str
    encoding: str
    frame_id: str


@dataclass(frozen=True)
class CameraProfile:
    """A driver's streams. Topics are relative: they begin in the node's namespace."""

    name: str
    colour: Stream
    depth: Stream
    info_topic: str
    distortion_model: str
    depth_unit: float  # [m] of one in depth images
    rectified: bool  # the lens's distortion is taken out by the driver
    size: tuple[int, int] | None  # width, height [px]; None: the rig's
    fov_y_deg: float | None  # None: the rig's
    rates: tuple[float, ...]  # [Hz] with one camera, two, ...; empty: as the simulator is asked to

    def of(self, camera: str) -> "CameraProfile":
        """With topics and frames of one camera."""

        def named(stream: Stream) -> Stream:
            return Stream(stream.topic.format(camera=camera), stream.encoding, stream.frame_id.format(camera=camera))

        info = self.info_topic.format(camera=camera)
        return replace(self, colour=named(self.colour), depth=named(self.depth), info_topic=info)

    def encoded(self, encoding: str) -> "CameraProfile":
        """With depth images in another encoding, in its own unit."""
        return replace(self, depth=replace(self.depth, encoding=encoding), depth_unit=DEPTH_UNITS[encoding])

    def rate(self, cameras: int) -> float | None:
        """[Hz] of each of that many cameras; None: the profile does not say."""
        return self.rates[min(cameras, len(self.rates)) - 1] if self.rates else None

    def applied(self, rig: CameraRig, width: int = 0) -> CameraRig:
        """The rig's cameras with the driver's size, field of view and lens, at the rig's places; `width` [px]: another size of the
        same shape, 0: none."""
        return replace(rig, cameras=tuple(self._applied(camera, width) for camera in rig.cameras))

    def _applied(self, camera: Camera, width: int) -> Camera:
        sensor = camera.sensor
        if self.rectified and sensor is not None:
            sensor = replace(sensor, distortion=(0.0,) * 5)
        columns, rows = self.size or (camera.width, camera.height)
        if width:
            columns, rows = width, round(rows * width / columns)
        scale = rows / camera.height
        K = camera.K
        if self.fov_y_deg is not None:
            K = intrinsics(columns, rows, self.fov_y_deg)
        elif (columns, rows) != (camera.width, camera.height):
            K = K.copy()
            K[0, 0], K[1, 1] = K[0, 0] * scale, K[1, 1] * scale
            K[0, 2], K[1, 2] = columns / 2 - 0.5, rows / 2 - 0.5
        return replace(camera, width=columns, height=rows, K=K, sensor=sensor)


def load_camera_profile(name_or_path: str | Path) -> CameraProfile:
    """By name (sim_worlds/cameras/NAME.yaml) or path; raises CameraProfileError naming file and field."""
    file = camera_profile_path(name_or_path)
    try:
        data = load_checked(file, _SCHEMA, CameraProfileError)
    except OSError as error:
        known = ", ".join(sorted(each.stem for each in file.parent.glob("*.yaml"))) or "none"
        raise CameraProfileError(
            f"expected a camera profile, cannot read {file}: {error.strerror}; known beside it: {known}"
        ) from error
    for block in ("colour", "depth", "info"):
        topic = data[block]["topic"]
        if "{camera}" not in topic or set(topic.replace("{camera}", "")) & set("{}"):
            raise CameraProfileError(f"{file}: {block}.topic: expected the camera's name as {{camera}}, got '{topic}'")
    depth = dict(data["depth"])
    unit = depth.pop("unit", DEPTH_UNITS[depth["encoding"]])
    return CameraProfile(
        file.stem,
        Stream(**data["colour"]),
        Stream(**depth),
        data["info"]["topic"],
        data["info"]["distortion_model"],
        unit,
        data.get("rectified", False),
        tuple(data["size"]) if "size" in data else None,
        data.get("fov_y_deg"),
        tuple(data.get("rates", ())),
    )
