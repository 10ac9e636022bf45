"""Observations and detections -> ROS messages."""

import array
import math

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray
from wm_msgs.msg import DetectedObject, DetectedObjects, Observation

from wm_core.bundle import Bundle
from wm_core.conversions import POSE_ERRORS, object_messages, tool_message
from wm_core.scene import scene_of
from wm_perception.geometry import Detection, Detections
from wm_perception.pipeline import ObservationData


def observation_message(header: Header, bundle: Bundle, data: ObservationData) -> Observation:
    """What the bundle's encoder read."""
    state = bundle.state
    std = np.full((state.objects, len(POSE_ERRORS)), np.nan)
    std[0, [POSE_ERRORS.index(axis) for axis in state.position]] = data.object_std
    scene, visibility = scene_of(state, data.embedding), np.full(state.objects, data.visibility)
    return Observation(
        header=header,
        model_id=bundle.id,
        embedding=data.embedding.tolist(),
        objects=object_messages(scene, visibility, pose_std=std),
        observed_fraction=data.observed_fraction,
        tool=tool_message(data.tool),
        cameras=list(data.cameras),
        encode_ms=data.encode_ms,
    )


def pose_message(detection: Detection) -> Pose:
    x, y, z = (float(v) for v in detection.centre)
    half = detection.yaw / 2
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(z=math.sin(half), w=math.cos(half)))


def detections_message(header: Header, found: Detections) -> DetectedObjects:
    objects = [
        DetectedObject(
            pose=pose_message(d), size=Vector3(**dict(zip("xyz", map(float, d.size), strict=True))), points=d.points
        )
        for d in found.objects
    ]
    return DetectedObjects(header=header, plane=found.plane.astype(np.float32), objects=objects)


def marker_message(header: Header, found: Detections) -> MarkerArray:
    """Translucent boxes, after a marker that deletes the last ones."""
    markers = [Marker(header=header, ns="objects", action=Marker.DELETEALL)]
    for i, detection in enumerate(found.objects):
        size = Vector3(**dict(zip("xyz", map(float, detection.size), strict=True)))
        markers.append(
            Marker(
                header=header,
                ns="objects",
                id=i,
                type=Marker.CUBE,
                pose=pose_message(detection),
                scale=size,
                color=ColorRGBA(r=0.2, g=0.9, b=0.3, a=0.4),
            )
        )
    return MarkerArray(markers=markers)


def cloud_message(header: Header, points: np.ndarray, colours: np.ndarray) -> PointCloud2:
    """Coloured cloud of points (n, 3) [m] and colours (n, 3) uint8, in the packing that RViz reads."""
    rows = np.zeros(len(points), dtype=[("xyz", "<f4", 3), ("bgra", "u1", 4)])
    rows["xyz"] = points
    rows["bgra"][:, :3] = colours[:, ::-1]
    fields = [
        PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, name in enumerate(("x", "y", "z", "rgb"))
    ]
    data = array.array("B")
    data.frombytes(rows.tobytes())
    return PointCloud2(
        header=header,
        height=1,
        width=len(points),
        fields=fields,
        is_bigendian=False,
        point_step=16,
        row_step=16 * len(points),
        data=data,
        is_dense=True,
    )
