"""PyBullet without what it prints at its start and end.

It prints from C, past sys.stdout and sys.stderr: when it was built, where it is imported; `argv[0]=`, where BulletClient
connects, which always hands over options, empty ones too; and a page about OpenGL and threads where there is a window.
Import pybullet from here.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STDOUT, STDERR = 1, 2


@contextmanager
def silenced(descriptor: int) -> Iterator[None]:
    """Within the block nothing that this process writes to a file descriptor appears anywhere; what was written before does.

    All threads are silenced, so keep the block short.
    """
    _flush()
    kept = os.dup(descriptor)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, descriptor)
        try:
            yield
        finally:
            _flush()
            os.dup2(kept, descriptor)
    finally:
        os.close(nowhere)
        os.close(kept)


def _flush() -> None:
    """Out with what Python's and C's buffers hold."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    ctypes.CDLL(None).fflush(None)


with silenced(STDERR):
    import pybullet
    from pybullet_utils.bullet_client import BulletClient

__all__ = ["BulletClient", "connect", "disconnect", "draw", "pybullet"]


def connect(window: bool) -> Any:
    """A BulletClient of a new world: calls functions of pybullet on it. With a window PyBullet ends the process where it cannot
    open one; ask wm_sim.display first."""
    with silenced(STDOUT):
        client = BulletClient(pybullet.GUI if window else pybullet.DIRECT)
    if window:
        client.configureDebugVisualizer(pybullet.COV_ENABLE_GUI, 0)  # PyBullet's panels
        client.configureDebugVisualizer(pybullet.COV_ENABLE_RENDERING, 0)
    return client


def disconnect(client: Any) -> None:
    """Free the world; doing it again does nothing."""
    if client.isConnected():
        with silenced(STDOUT):
            client.disconnect()


def draw(client: Any, xy: Any) -> None:
    """Begin to draw in the window, with the view to a place x, y [m] of the table, from the side where the arm hides nothing.

    Not before all is loaded: it would be drawn between any two parts.
    """
    client.resetDebugVisualizerCamera(
        cameraDistance=1.25, cameraYaw=60, cameraPitch=-35, cameraTargetPosition=[float(xy[0]), float(xy[1]), 0.1]
    )
    client.configureDebugVisualizer(pybullet.COV_ENABLE_RENDERING, 1)
