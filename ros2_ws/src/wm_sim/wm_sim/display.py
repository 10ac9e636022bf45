"""Whether the simulator's window can be opened on this machine. PyBullet does not say: it ends the process if not."""

import ctypes
import os


def display_problem() -> str:
    """Why no window can be opened; empty: it can."""
    name = os.environ.get("DISPLAY", "")
    if not name:
        if os.environ.get("WAYLAND_DISPLAY"):
            return "WAYLAND_DISPLAY is set but DISPLAY is not, and PyBullet needs X11; install Xwayland"
        return "no display: neither DISPLAY nor WAYLAND_DISPLAY is set"
    try:
        x11 = ctypes.CDLL("libX11.so.6")
        ctypes.CDLL("libGL.so.1")
    except OSError as error:
        return f"the window needs X11 and OpenGL: {error}"
    x11.XOpenDisplay.restype = ctypes.c_void_p
    display = x11.XOpenDisplay(None)
    if not display:
        return f"no X server lets this process in at DISPLAY={name}"
    try:
        unused = ctypes.byref(ctypes.c_int())
        if not x11.XQueryExtension(ctypes.c_void_p(display), b"GLX", unused, unused, unused):
            return f"the X server at DISPLAY={name} has no OpenGL (GLX)"
    finally:
        x11.XCloseDisplay(ctypes.c_void_p(display))
    return ""
