"""Bags as they are written, read back by two independent readers: rosbags and mcap."""

import time

import pytest
import written_bags
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from wm_bags.storage.definitions import definition_of
from wm_bags.storage.errors import BagError
from wm_bags.storage.metadata import Topic
from wm_bags.storage.reading import Bag
from wm_bags.storage.repair import repair
from wm_bags.storage.writer import BagWriter, Storage, WriteError

LATCHED, IMAGE, STRING, Sent = written_bags.LATCHED, written_bags.IMAGE, written_bags.STRING, written_bags.Sent
topics, write, images = written_bags.topics, written_bags.write, written_bags.images
by_rosbags, by_mcap, information = written_bags.by_rosbags, written_bags.by_mcap, written_bags.information

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
