"""A folder appears complete or not at all, whoever is killed while it is written."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from wm_core.atomic import new_folder

WRITER = """
import os, sys, time
from wm_core.atomic import new_folder
from pathlib import Path

with new_folder(Path(sys.argv[1])) as work:
    if worker := os.fork():
        print(worker, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path):
    """A process that writes a folder, and a worker of it that holds its lock too: killed writer, and the worker's id."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "set")], stdout=subprocess.PIPE, text=True)
    worker = int(process.stdout.readline())
    yield process, worker
    for pid in (process.pid, worker):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def test_what_a_killed_writer_left_is_removed_once_its_workers_have_ended(tmp_path, writer):
    process, worker = writer
    process.kill()
    process.wait()
    subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -9 {worker}"])
    with new_folder(tmp_path / "set") as work:
        (work / "new").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["new"]


def test_what_another_process_writes_is_left_alone(tmp_path, writer):
    process, _ = writer
    began = time.monotonic()
    with new_folder(tmp_path / "set") as work:
        (work / "new").touch()
    assert time.monotonic() - began < 5  # it does not wait for a writer that lives
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".set.{process.pid}.part", "set"]


def test_an_error_leaves_what_was_there(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "old").touch()
    with pytest.raises(RuntimeError), new_folder(tmp_path / "set") as work:
        (work / "new").touch()
        raise RuntimeError("no space")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["old"]


def test_a_link_stays_a_link_and_the_data_on_its_disk(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "set").symlink_to(tmp_path / "disk" / "set")
    for name in ("first", "second", "third"):
        with new_folder(tmp_path / "set") as work:
            assert work.parent == tmp_path / "disk"
            (work / name).touch()
        assert (tmp_path / "set").is_symlink()
        assert [path.name for path in (tmp_path / "disk" / "set").iterdir()] == [name]
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["set"]
