"""What is safe of a bag whose writer is killed, or whose disk is full or takes nothing."""

import errno
import os
import signal
import subprocess
import sys

import pytest
import written_bags

from wm_bags.storage.repair import repair
from wm_bags.storage.writer import BagWriter, Storage, WriteError

topics, images, by_rosbags = written_bags.topics, written_bags.images, written_bags.by_rosbags
by_mcap, information = written_bags.by_mcap, written_bags.information

KILLED = """
import sys, time
from pathlib import Path
from wm_bags.storage.definitions import definition_of
from wm_bags.storage.metadata import Topic
from wm_bags.storage.writer import BagWriter, Storage
writer = BagWriter(Path(sys.argv[1]), Storage(sys.argv[2], flush_s=0.05, chunk_bytes=300_000))
writer.add_topic(Topic("/image", definition_of("sensor_msgs/msg/Image")))
for i in range(10**6):
    writer.write("/image", i.to_bytes(4, "little") * 10_000, time.time_ns(), i)
    if writer.messages:
        print(writer.messages, flush=True)
"""


@pytest.mark.parametrize("compression", ["none", "zstd", "lz4"])
def test_what_was_in_a_chunk_survives_kill_9(tmp_path, compression):
    folder = tmp_path / "bag"
    process = subprocess.Popen([sys.executable, "-c", KILLED, folder, compression], stdout=subprocess.PIPE, text=True)
    safe = [process.stdout.readline() for _ in range(60)][-1]
    process.send_signal(signal.SIGKILL)
    process.wait()
    repaired = repair(folder)
    assert not repaired.files[0].whole and repair(folder).files[0].whole
    found = by_mcap(folder)
    assert len(found) >= int(safe)
    assert [int.from_bytes(m.data[:4], "little") for m in found] == list(range(len(found)))
    assert len(by_rosbags(folder)) == len(found) == information(folder)["message_count"]


# In a child whose files cannot grow past a size: as on a full disk, writing them fails.
FULL = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from written_bags import images, topics
from wm_bags.storage.writer import BagWriter, Storage, WriteError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
writer = BagWriter(Path(sys.argv[1]), Storage(chunk_bytes=250_000))
for topic in topics():
    writer.add_topic(topic)
try:
    for message in images(30):
        writer.write(message.topic, message.data, message.log_ns, message.publish_ns)
except WriteError as error:
    print(error)
try:
    writer.close()
except WriteError as error:
    print("close:", error)
print(writer.messages, writer.dropped)
"""


def test_a_full_disk_leaves_a_whole_bag(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path / "bag", os.path.dirname(__file__)],
        capture_output=True,
        text=True,
        check=True,
    )
    error, closed, counts = result.stdout.splitlines()
    assert "bag_0.mcap: the first" in error and "bytes are safe, then File too large" in error and "MB free" in error
    assert closed.startswith("close:")
    written, dropped = map(int, counts.split())
    assert written == 9 and dropped == 3
    assert by_mcap(tmp_path / "bag") == images(30)[:written]
    assert len(by_rosbags(tmp_path / "bag")) == written
    assert all(file.whole for file in repair(tmp_path / "bag").files)


class FullAfter:
    """A disk that takes so many more bytes."""

    def __init__(self, monkeypatch, size):
        self.left, self._writev = size, os.writev
        monkeypatch.setattr(os, "writev", self)

    def __call__(self, fd, buffers):
        if self.left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        wanted = b"".join(buffers)[: self.left]
        self.left -= len(wanted)
        return self._writev(fd, [wanted])


def test_a_disk_too_full_for_the_index_loses_no_chunk(tmp_path, monkeypatch):
    writer = BagWriter(tmp_path / "bag", Storage(chunk_bytes=250_000))
    for topic in topics():
        writer.add_topic(topic)
    with monkeypatch.context() as patched:
        FullAfter(patched, 950_000)
        with pytest.raises(WriteError, match="No space left on device"):
            for message in images(30):
                writer.write(message.topic, message.data, message.log_ns, message.publish_ns)
        with pytest.raises(WriteError, match="No space left on device"):
            writer.close()
    written = writer.messages
    assert written == 9 and writer.dropped == 3
    repair(tmp_path / "bag")
    assert by_mcap(tmp_path / "bag") == images(30)[:written]


def test_a_disk_too_full_for_another_file_leaves_the_first_whole(tmp_path, monkeypatch):
    writer = BagWriter(tmp_path / "bag", Storage(max_bytes=500_000))
    writer.add_topic(topics()[0])
    opened = os.open

    def full(path, *arguments, **options):
        if str(path).endswith("bag_1.mcap"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(WriteError, match="bag: No space left on device"):
        for message in images(30):
            writer.write(message.topic, message.data, message.log_ns, message.publish_ns)
    writer.close()
    assert (writer.messages, writer.dropped) == (4, 1)
    assert by_mcap(tmp_path / "bag") == images(4) and len(by_rosbags(tmp_path / "bag")) == 4


def test_a_folder_without_permission_is_named_and_nothing_is_left(tmp_path, monkeypatch):
    opened = os.open

    def refused(path, *arguments, **options):
        if str(path).endswith(".mcap"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refused)  # chmod does not stop root, who runs many a test
    with pytest.raises(WriteError, match="cannot record into .*bag: Permission denied"):
        BagWriter(tmp_path / "bag")
    assert not (tmp_path / "bag").exists()
