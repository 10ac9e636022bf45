"""The simulator starts and ends in silence, and says beforehand why there is no window."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_description import physics
from wm_sim.arm_sim import ArmSim
from wm_sim.display import display_problem
from wm_sim.window import Window, follow
from wm_sim.world import load_world

START_AND_END = """
import sys
import time
print("before")
from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_sim.arm_sim import ArmSim
from wm_sim.world import load_world
sim = ArmSim(load_world("tabletop_block"), CameraRig.load(rig_path("two_cameras")))
print("between")
print("an error", file=sys.stderr)
sim.close()
sim.close()
print("after")
"""


def test_nothing_is_printed_but_what_the_program_prints():
    done = subprocess.run([sys.executable, "-c", START_AND_END], capture_output=True, text=True, check=True)
    assert done.stdout == "before\nbetween\nafter\n"
    assert done.stderr == "an error\n"


def test_what_fails_in_silence_is_heard_afterwards(capfd):
    with pytest.raises(RuntimeError), physics.silenced(physics.STDOUT):
        os.write(physics.STDOUT, b"nobody hears this\n")
        raise RuntimeError
    os.write(physics.STDOUT, b"but this\n")
    assert capfd.readouterr().out == "but this\n"


def test_a_window_changes_no_picture(monkeypatch):
    world, rig = load_world("tabletop_block"), CameraRig.load(rig_path("two_cameras"))
    usual = ArmSim(world, rig)
    monkeypatch.setattr(physics.pybullet, "GUI", physics.pybullet.DIRECT)  # without a display
    shown = ArmSim(world, rig, gui=True)
    for sim in (usual, shown):
        sim.reset(3)
        sim.step(24)
    for camera in rig.cameras:
        for one, other in zip(usual.render(camera.name), shown.render(camera.name), strict=True):
            assert np.array_equal(one, other)
    usual.close()
    shown.close()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "neither DISPLAY nor WAYLAND_DISPLAY is set"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "install Xwayland"),
        ({"DISPLAY": ":4711"}, "no X server lets this process in at DISPLAY=:4711"),
    ],
)
def test_why_there_is_no_window(monkeypatch, environment, said):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert said in display_problem()


# -- the window ------------------------------------------------------------------------------------------------------


def until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_another_world_shows_where_arm_and_object_are():
    sims = [ArmSim(load_world("tabletop_block"), CameraRig.load(rig_path("two_cameras"))) for _ in range(2)]
    for sim in sims:
        sim.reset(3)
    sims[0].set_target(sims[0].home + 0.2)
    sims[0].disturb(impulse=(0.05, 0, 0))
    sims[0].step(60)
    sims[1].show(sims[0].body_state())
    assert np.allclose(sims[1].joint_state()[1], sims[0].joint_state()[1])
    assert np.allclose(sims[1].object_pose()[0], sims[0].object_pose()[0])
    for sim in sims:
        sim.close()


def test_a_window_that_cannot_be_opened_costs_the_simulation_nothing(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":4711")
    world, rig = load_world("tabletop_block"), CameraRig.load(rig_path("two_cameras"))
    sim, said = ArmSim(world, rig), []
    sim.reset(3)
    window = Window(world, rig, said.append)
    window.reset(3)
    until(lambda: window.show(sim) or said)
    assert said == ["the window is closed; the simulation goes on without"]
    window.show(sim)
    window.close()
    window.close()
    sim.close()
    assert len(said) == 1


def test_the_window_follows_the_simulation_over_episodes():
    world, rig = load_world("tabletop_block"), CameraRig.load(rig_path("two_cameras"))
    sim, shown = ArmSim(world, rig), ArmSim(world, rig)
    ours, theirs = multiprocessing.Pipe()
    follower = threading.Thread(target=follow, args=(theirs, shown))
    follower.start()
    for seed in (3, 4):
        sim.reset(seed)
        sim.set_target(sim.home + 0.1)
        sim.step(60)
        assert ours.recv() is None  # it is ready
        ours.send(((seed, None), sim.body_state()))
    assert ours.recv() is None
    ours.close()
    follower.join(10)
    assert not follower.is_alive()
    assert np.allclose(shown.joint_state()[1], sim.joint_state()[1])
    assert np.allclose(shown.object_pose()[0], sim.object_pose()[0])
    sim.close()
    shown.close()
