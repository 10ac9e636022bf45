"""Bags that were cut off, or that have other bytes than were written: what is repaired, and that nothing is thrown away."""

import errno
import os
import random
import shutil
import subprocess
import sys

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from rosbags.rosbag2 import Reader

from wm_bags.storage.definitions import definition_of
from wm_bags.storage.errors import BagError
from wm_bags.storage.mcap_scan import scan
from wm_bags.storage.metadata import Topic
from wm_bags.storage.repair import repair
from wm_bags.storage.writer import BagWriter, Storage
from wm_core.command_line import main

MESSAGES = 40
CHUNK = 5  # messages in a chunk
RECORDER = """
import sys, time
from wm_bags.storage.definitions import definition_of
from wm_bags.storage.metadata import Topic
from wm_bags.storage.writer import BagWriter

writer = BagWriter(sys.argv[1])
writer.add_topic(Topic("/image", definition_of("sensor_msgs/msg/Image")))
writer.write("/image", b"an image", 1, 1)
writer.flush()
print(flush=True)
time.sleep(60)
"""


def payload(i):
    return random.Random(i).randbytes(1000)


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """A bag of 8 chunks with 5 messages each."""
    folder = tmp_path_factory.mktemp("whole") / "bag"
    writer = BagWriter(folder, Storage(chunk_bytes=5000, custom={"robot": "left"}))
    writer.add_topic(Topic("/image", definition_of("sensor_msgs/msg/Image")))
    for i in range(MESSAGES):
        writer.write("/image", payload(i), i, i)
    writer.close()
    return folder


@pytest.fixture
def bag(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "bag")


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """New folders, one after another, for the many runs of hypothesis."""
    return lambda: tmp_path_factory.mktemp("damaged") / "bag"


def numbers(folder):
    """Which messages two independent readers find, and that they find the same."""
    with open(folder / "bag_0.mcap", "rb") as stream:
        found = [message for _, _, message in make_reader(stream, validate_crcs=True).iter_messages()]
    assert all(message.data == payload(message.log_time) for message in found)
    with Reader(folder) as reader:
        assert [log_ns for _, log_ns, _ in reader.messages()] == [message.log_time for message in found]
        assert reader.message_count == len(found)
    return [message.log_time for message in found]


def damaged(whole, folder, change):
    """A copy whose file is changed; returns what was in it."""
    shutil.copytree(whole, folder)
    file = folder / "bag_0.mcap"
    data = change(bytearray(file.read_bytes()))
    file.write_bytes(data)
    return bytes(data)


def pieces(folder, original):
    """All chunks of the original are in the repaired file or, byte for byte, in what was put aside."""
    cut = folder / "bag_0.mcap.cut"
    return cut.read_bytes() if cut.exists() else b""


def chunks(data):
    return [found for found in scan(data) if found.opcode == 6]


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1))
def test_a_file_that_is_cut_off_anywhere_is_read_up_to_its_last_whole_chunk(whole, folders, share):
    folder = folders()
    data = (whole / "bag_0.mcap").read_bytes()
    size = int(share * len(data))
    left = damaged(whole, folder, lambda data: data[:size])
    kept = sum(chunk.end <= size for chunk in chunks(data))
    (state,) = repair(folder).files
    assert numbers(folder) == list(range(CHUNK * kept))
    if state.damages:
        assert left.endswith(pieces(folder, left)) and pieces(folder, left)
        assert f"bytes {state.damages[0].start} to {size}" in state.describe()
    assert repair(folder).files[0].whole


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@example(share=0.0011849563312980038, bit=0)  # in the name of the schema before the data
@example(share=0.0002, bit=4)  # in the header
def test_a_flipped_bit_costs_one_chunk_at_most(whole, folders, share, bit):
    folder = folders()
    place = 8 + int(share * ((whole / "bag_0.mcap").stat().st_size - 8))

    def flip(data):
        data[place] ^= 1 << bit
        return data

    data = damaged(whole, folder, flip)
    hit = [i for i, chunk in enumerate(chunks((whole / "bag_0.mcap").read_bytes())) if chunk.start <= place < chunk.end]
    first = chunks((whole / "bag_0.mcap").read_bytes())[0].start
    repair(folder)
    if place < first:  # the channel itself may be lost, and then no chunk can be used: all of it is put aside
        assert set(numbers(folder)) in (set(range(MESSAGES)), set())
    else:
        lost = {i for chunk in hit for i in range(CHUNK * chunk, CHUNK * (chunk + 1))}
        assert set(range(MESSAGES)) - lost <= set(numbers(folder))
    aside = pieces(folder, data)
    assert all(payload(i) in aside for i in set(range(MESSAGES)) - set(numbers(folder)) if i // CHUNK not in hit)
    assert repair(folder).files[0].whole


def test_a_whole_bag_is_left_alone(bag):
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in bag.iterdir()}
    result = repair(bag)
    assert not result.metadata and result.files[0].whole
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in bag.iterdir()} == before


@pytest.mark.parametrize("content", [None, "", "rosbag2_bagfile_information: {version: 9}", "[", "\x00\xff"])
def test_metadata_that_is_missing_or_broken_is_written_anew(whole, bag, content):
    (bag / "metadata.yaml").unlink()
    if content is not None:
        (bag / "metadata.yaml").write_text(content)
    assert repair(bag).metadata
    assert numbers(bag) == list(range(MESSAGES))
    anew, before = (yaml.safe_load((each / "metadata.yaml").read_text()) for each in (bag, whole))
    anew["rosbag2_bagfile_information"]["custom_data"] = {"robot": "left"}  # only the lost one knew
    assert anew == before


def test_what_only_the_old_metadata_knows_is_kept(bag):
    file = bag / "bag_0.mcap"
    file.write_bytes(file.read_bytes()[:20_000])
    repair(bag)
    assert yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]["custom_data"] == {
        "robot": "left"
    }


def test_a_full_disk_leaves_the_original(bag, monkeypatch):
    file = bag / "bag_0.mcap"
    file.write_bytes(file.read_bytes()[:20_000])
    before = file.read_bytes(), sorted(path.name for path in bag.iterdir())
    writev, left = os.writev, 10_000

    def full(fd, buffers):
        nonlocal left
        if left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left -= sum(map(len, buffers))
        return writev(fd, buffers)

    with monkeypatch.context() as patched:
        patched.setattr(os, "writev", full)
        with pytest.raises(OSError, match="No space left on device"):
            repair(bag)
    assert (file.read_bytes(), sorted(path.name for path in bag.iterdir())) == before
    repair(bag)
    assert numbers(bag) == list(range(15))


def test_the_command_says_how_much_was_kept_and_where_it_stopped(bag, tmp_path, capsys):
    file = bag / "bag_0.mcap"
    file.write_bytes(file.read_bytes()[:20_000])
    assert main(["bag", "repair", str(bag)]) == 0
    printed = capsys.readouterr().out
    assert "bag_0.mcap: 15 messages in 20000 bytes, damaged" in printed and "to 20000" in printed
    assert (
        "the file ends in a chunk record" in printed and "15 messages kept" in printed and "bag_0.mcap.cut" in printed
    )
    assert main(["bag", "repair", str(tmp_path / "nothing")]) == 1
    assert "NOT REPAIRED" in capsys.readouterr().err


def test_what_is_being_recorded_is_refused_and_nothing_of_it_is_lost(tmp_path, capsys):
    writer = BagWriter(tmp_path / "bag", Storage(max_bytes=10_000))  # several files: the finished ones too
    writer.add_topic(Topic("/image", definition_of("sensor_msgs/msg/Image")))
    for i in range(20):
        writer.write("/image", payload(i), i, i)
    writer.flush()
    assert main(["bag", "repair", str(tmp_path / "bag")]) == 1
    assert "is being recorded or repaired; end the recording first" in capsys.readouterr().err
    for i in range(20, 25):
        writer.write("/image", payload(i), i, i)
    writer.close()
    result = repair(tmp_path / "bag")
    assert sum(file.index.messages for file in result.files) == 25 and all(file.whole for file in result.files)


def test_a_killed_recorder_keeps_nobody_from_repairing(tmp_path):
    recorder = subprocess.Popen([sys.executable, "-c", RECORDER, str(tmp_path / "bag")], stdout=subprocess.PIPE)
    recorder.stdout.readline()
    with pytest.raises(BagError, match="is being recorded"):
        repair(tmp_path / "bag")
    recorder.kill()
    recorder.wait()
    (state,) = repair(tmp_path / "bag").files
    assert state.index.messages == 1 and repair(tmp_path / "bag").files[0].whole
