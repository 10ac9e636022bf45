"""Imagined futures as markers for RViz and Foxglove."""

import numpy as np
from geometry_msgs.msg import Point, Pose, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from wm_core.futures import Futures

HEIGHT = 0.01  # [m] at which paths are drawn
SHOWN = 4  # ghosts along the path


def future_markers(header: Header, futures: Futures) -> MarkerArray:
    """Branch 0: object path (orange), tool path (blue), and ghosts of the object as wide as its uncertainty (two deviations)."""
    object_xy, tool = futures.mean_object()[0], futures.mean_tool()[0]
    deviation = np.sqrt(futures.object().var(0) + futures.object_variance().mean(0))[0]
    markers = [
        _line(header, 0, object_xy, ColorRGBA(r=1.0, g=0.5, b=0.1, a=1.0)),
        _line(header, 1, tool, ColorRGBA(r=0.2, g=0.5, b=1.0, a=1.0)),
    ]
    steps = sorted({round(step) for step in np.linspace(0, len(object_xy) - 1, min(SHOWN, len(object_xy)))})
    for i, step in enumerate(steps):
        size = np.maximum(4 * deviation[step], 0.004)
        markers.append(
            Marker(
                header=header,
                ns="future",
                id=2 + i,
                type=Marker.SPHERE,
                pose=Pose(position=_point(object_xy[step])),
                scale=Vector3(x=float(size[0]), y=float(size[1]), z=0.004),
                color=ColorRGBA(r=1.0, g=0.5, b=0.1, a=0.6 * (1 - step / (len(object_xy) + 1))),
            )
        )
    return MarkerArray(markers=markers)


def _line(header: Header, number: int, path: np.ndarray, colour: ColorRGBA) -> Marker:
    return Marker(
        header=header,
        ns="future",
        id=number,
        type=Marker.LINE_STRIP,
        scale=Vector3(x=0.004),
        color=colour,
        points=[_point(xy) for xy in path],
    )


def _point(xy: np.ndarray) -> Point:
    return Point(x=float(xy[0]), y=float(xy[1]), z=HEIGHT)
