"""Bags as they are written, read back by two independent readers: rosbags and mcap."""

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from wm_bags.storage.definitions import definition_of
from wm_bags.storage.errors import BagError
from wm_bags.storage.metadata import Topic
from wm_bags.storage.reading import Bag
from wm_bags.storage.repair import repair
from wm_bags.storage.writer import BagWriter, Storage, WriteError

LATCHED = {
    "history": "keep_last",
    "depth": 1,
    "reliability": "reliable",
    "durability": "transient_local",
    "deadline": {"sec": 0, "nsec": 0},
    "lifespan": {"sec": 0, "nsec": 0},
    "liveliness": "automatic",
    "liveliness_lease_duration": {"sec": 9223372036, "nsec": 854775807},
    "avoid_ros_namespace_conventions": False,
}
IMAGE, STRING = "sensor_msgs/msg/Image", "std_msgs/msg/String"


@dataclass(frozen=True)
class Sent:
    topic: str
    data: bytes
    log_ns: int
    publish_ns: int


def topics():
    return Topic("/image", definition_of(IMAGE)), Topic("/text", definition_of(STRING), [LATCHED])


def write(folder, messages, storage=None):
    writer = BagWriter(folder, storage or Storage())
    for topic in topics():
        writer.add_topic(topic)
    for message in messages:
        writer.write(message.topic, message.data, message.log_ns, message.publish_ns)
    writer.close()
    return writer


def images(count, size=100_000, start=0):
    """Messages a tenth of a second apart."""
    rng = random.Random(start)
    return [
        Sent("/image", rng.randbytes(size), 10**9 + i * 10**8, 10**9 + i * 10**8 - 1000)
        for i in range(start, start + count)
    ]


def by_rosbags(folder):
    with Reader(folder) as reader:
        found = [(connection.topic, bytes(data), log_ns) for connection, log_ns, data in reader.messages()]
        assert reader.message_count == len(found)
    return found


def by_mcap(folder):
    found = []
    for file in sorted(folder.glob("*.mcap")):
        with open(file, "rb") as stream:
            reader = make_reader(stream, validate_crcs=True)
            messages = list(reader.iter_messages(log_time_order=False))
            assert reader.get_summary().statistics.message_count == len(messages)
            found += [Sent(channel.topic, m.data, m.log_time, m.publish_time) for _, channel, m in messages]
    return found


def information(folder):
    return yaml.safe_load((folder / "metadata.yaml").read_text())["rosbag2_bagfile_information"]


payload = st.builds(
    Sent,
    st.sampled_from(["/image", "/text"]),
    st.one_of(
        st.binary(min_size=1, max_size=300), st.integers(65_000, 66_000).map(lambda n: n.to_bytes(4, "big") * (n // 4))
    ),
    st.integers(0, 2**62),
    st.integers(0, 2**62),
)


@settings(max_examples=60, deadline=None)
@given(
    messages=st.lists(payload, max_size=30),
    compression=st.sampled_from(["none", "zstd", "lz4"]),
    chunk=st.integers(1, 200_000),
)
def test_everything_comes_back_byte_for_byte(tmp_path_factory, messages, compression, chunk):
    folder = tmp_path_factory.mktemp("bags") / "bag"
    write(folder, messages, Storage(compression, chunk_bytes=chunk))
    assert sorted(by_rosbags(folder)) == sorted((m.topic, m.data, m.log_ns) for m in messages)
    assert by_mcap(folder) == messages


def test_types_are_described_in_full_with_their_hash(tmp_path):
    write(tmp_path / "bag", images(1))
    store = get_typestore(Stores.ROS2_JAZZY)
    with Reader(tmp_path / "bag") as reader:
        image = next(connection for connection in reader.connections if connection.topic == "/image")
    assert image.digest == store.hash_rihs01(IMAGE)
    text = image.msgdef.data
    assert (
        "MSG: std_msgs/Header\n" in text
        and "MSG: builtin_interfaces/Time\n" in text
        and text.startswith("# This message")
    )
    for name, (_, fields) in get_types_from_msg(text, IMAGE).items():
        assert fields == store.fielddefs[name][1]


def test_a_type_that_is_not_installed_has_no_definition():
    unknown = definition_of("nowhere_msgs/msg/Nothing")
    assert (unknown.encoding, unknown.text, unknown.hash) == ("", "", "")


def test_metadata_is_of_version_9_with_the_profiles_that_were_offered(tmp_path):
    write(tmp_path / "bag", images(3), Storage(custom={"robot": "left"}))
    info = information(tmp_path / "bag")
    assert info["version"] == 9 and info["storage_identifier"] == "mcap" and info["ros_distro"]
    assert info["custom_data"] == {"robot": "left"}
    assert info["starting_time"] == {"nanoseconds_since_epoch": 10**9} and info["duration"] == {
        "nanoseconds": 2 * 10**8
    }
    image, text = info["topics_with_message_count"]
    assert (image["message_count"], text["message_count"]) == (3, 0)
    assert text["topic_metadata"]["offered_qos_profiles"] == [LATCHED]
    with Reader(tmp_path / "bag") as reader:
        (profile,) = next(c for c in reader.connections if c.topic == "/text").ext.offered_qos_profiles
    assert profile.durability.name == "TRANSIENT_LOCAL" and profile.depth == 1


def test_a_bag_is_split_by_size_and_by_time(tmp_path):
    messages = images(20)
    write(tmp_path / "size", messages, Storage(max_bytes=550_000))
    write(tmp_path / "time", messages, Storage(max_s=0.5))
    for name, counts in (("size", [5, 5, 5, 5]), ("time", [5, 5, 5, 5])):
        info = information(tmp_path / name)
        assert info["relative_file_paths"] == [f"{name}_{i}.mcap" for i in range(4)]
        assert [file["message_count"] for file in info["files"]] == counts
        assert info["files"][1]["starting_time"] == {"nanoseconds_since_epoch": messages[5].log_ns}
        assert by_mcap(tmp_path / name) == messages
        assert len(by_rosbags(tmp_path / name)) == 20


def test_compression_makes_it_smaller(tmp_path):
    plain = [Sent("/text", b"the same again " * 200, i, i) for i in range(50)]
    sizes = {name: write(tmp_path / name, plain, Storage(name)).size for name in ("none", "zstd", "lz4")}
    assert sizes["zstd"] < sizes["none"] / 5 and sizes["lz4"] < sizes["none"] / 5


@pytest.mark.parametrize("options", [{"compression": "rar"}, {"max_bytes": -1}, {"max_s": -0.1}])
def test_nonsense_options_are_refused(options):
    with pytest.raises(ValueError, match="expected"):
        Storage(**options)


def test_an_existing_folder_is_never_written_into(tmp_path):
    (tmp_path / "bag").mkdir()
    with pytest.raises(WriteError, match="expected a new folder.*bag exists"):
        BagWriter(tmp_path / "bag")
    assert not list((tmp_path / "bag").iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot record into .*file/bag: Not a directory"):
        BagWriter(tmp_path / "file/bag")


def test_a_bag_without_messages_is_whole(tmp_path):
    write(tmp_path / "bag", [])
    assert by_rosbags(tmp_path / "bag") == [] and by_mcap(tmp_path / "bag") == []
    assert repair(tmp_path / "bag").files[0].whole


def test_one_topic_has_one_type(tmp_path):
    writer = BagWriter(tmp_path / "bag")
    writer.add_topic(Topic("/image", definition_of(IMAGE)))
    with pytest.raises(ValueError, match="/image: expected sensor_msgs/msg/Image, got std_msgs/msg/String"):
        writer.add_topic(Topic("/image", definition_of(STRING)))


def test_a_quiet_recording_is_on_the_disk_without_further_messages(tmp_path):
    writer = BagWriter(tmp_path / "bag", Storage(flush_s=0.05))
    for topic in topics():
        writer.add_topic(topic)
    writer.write("/text", b"only this", 1, 1)
    assert writer.messages == 0
    time.sleep(0.06)
    writer.tick()
    assert writer.messages == 1
    with Bag(tmp_path / "bag") as unfinished:
        assert [(message.topic, message.data) for message in unfinished.messages()] == [("/text", b"only this")]


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


def limit_files_to(size):
    """Run a test in a child whose files cannot grow past a size: as on a full disk, writing them fails."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


FULL = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_writer import Sent, WriteError, images, limit_files_to, topics
from wm_bags.storage.writer import BagWriter, Storage
limit_files_to(1_000_000)
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


def test_a_writer_that_is_closed_takes_no_more(tmp_path):
    writer = write(tmp_path / "bag", images(1))
    writer.close()
    with pytest.raises(ValueError, match="the bag is closed"):
        writer.write("/image", b"late", 1, 1)


def test_only_bags_of_mcap_files_are_repaired(tmp_path):
    with pytest.raises(BagError, match="expected a bag's folder, got nothing"):
        repair(tmp_path / "none")
    with pytest.raises(BagError, match=r"expected .mcap files, got none"):
        repair(tmp_path)
    (tmp_path / "a_0.mcap").write_text("this is a letter")
    with pytest.raises(BagError, match="a_0.mcap: expected the first bytes .* of MCAP, got b'this is "):
        repair(tmp_path)
    assert (tmp_path / "a_0.mcap").read_text() == "this is a letter"


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
