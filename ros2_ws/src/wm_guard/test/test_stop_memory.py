"""The emergency stop is kept in a file until it is reset."""

import pytest

from wm_guard.stop_memory import StopMemory


def test_what_one_guard_keeps_the_next_one_finds(tmp_path):
    file = str(tmp_path / "stopped")
    assert not StopMemory(file).stopped
    StopMemory(file).keep(True)
    StopMemory(file).keep(True)  # stopped once more
    assert StopMemory(file).stopped
    StopMemory(file).keep(False)
    StopMemory(file).keep(False)
    assert not StopMemory(file).stopped


def test_without_a_file_nothing_is_kept():
    memory = StopMemory("")
    memory.keep(True)
    assert not memory.stopped


def test_where_it_cannot_be_kept_that_is_said(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        StopMemory(str(tmp_path / "nowhere" / "stopped")).keep(True)
