"""Detections -> ROS messages."""

import array
import math

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray
from wm_msgs.msg import DetectedObject, DetectedObjects

from wm_perception.geometry import Detection, Detections


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
