"""The simulator's window: a process of its own that shows where arm and object are.

The physics runs without it, so it computes the same with a window and without, and a slow or closed window costs the
arm nothing.
"""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from wm_core.atomic import die_with_parent
from wm_core.rig import CameraRig
from wm_description.physics import STDERR, STDOUT, pybullet
from wm_sim.arm_sim import ArmSim
from wm_sim.world import World

NICENESS = 19  # where the CPU draws, it draws with what the arm leaves over
END_S = 2.0


class Window:
    """Shows what `show` is given, as fast as it can be drawn; what comes meanwhile is left out."""

    def __init__(self, world: World, rig: CameraRig, warn: Callable[[str], None], **options: Any) -> None:
        """`options`: of the ArmSim that is shown. `warn`: hears when the window is closed, or could not be opened."""
        self._warn = warn
        self._episode: tuple[int, Sequence[float] | None] | None = None  # still to be shown
        self._connection, theirs = multiprocessing.Pipe()
        arguments = (theirs, world, replace(rig, cameras=()), options)
        self._process = multiprocessing.get_context("spawn").Process(target=_show, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self._open = True

    def reset(self, seed: int, object_xy: Sequence[float] | None = None) -> None:
        """Another episode: with the next `show` its object appears."""
        self._episode = seed, object_xy

    def show(self, sim: ArmSim) -> None:
        """Show the present state of a simulation. Returns at once; a window that is busy or closed is left alone."""
        if not self._open:
            return
        try:
            if self._connection.poll():
                self._connection.recv()  # it has shown what came before
                self._connection.send((self._episode, sim.body_state()))
                self._episode = None
        except (EOFError, OSError):
            self._open = False
            self._warn("the window is closed; the simulation goes on without")

    def close(self) -> None:
        """End the window; doing it again does nothing."""
        self._open = False
        self._connection.close()
        self._process.join(END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _show(connection: Connection, world: World, rig: CameraRig, options: dict[str, Any]) -> None:
    """The process of the window: until the other end or the window is closed."""
    die_with_parent()
    os.setsid()  # what ends the simulator's process group does not close the window first
    os.nice(NICENESS)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (STDOUT, STDERR):  # PyBullet's threads tell what they do
        os.dup2(nowhere, descriptor)
    follow(connection, ArmSim(world, rig, gui=True, **options))


def follow(connection: Connection, sim: ArmSim) -> None:
    """Show what comes, asking for more after each, until the other end or the window is closed."""
    try:
        while True:
            connection.send(None)
            episode, state = connection.recv()
            if episode is not None:
                seed, object_xy = episode
                sim.reset(seed, object_xy, settle=False)
            sim.show(state)
    except (EOFError, OSError, pybullet.error):
        return
