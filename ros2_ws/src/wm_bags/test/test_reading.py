"""Bags of any storage and state: all that is whole is read, and what is not is refused with file and place, or left out."""

import os
import shutil
import sqlite3
import struct
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wm_bags.storage.errors import BagError
from wm_bags.storage.mcap_file import McapFile
from wm_bags.storage.reading import Bag
from wm_core.command_line import main

COUNT = 30 * 3 + 100 + 10  # messages of one second
STRING = "std_msgs/msg/String"


@pytest.fixture(scope="module")
def whole(robot, tmp_path_factory):
    """A bag of one second of each storage."""
    folder = tmp_path_factory.mktemp("whole")
    return {storage: robot.record(folder / storage, 1.0, storage) for storage in ("mcap", "sqlite3")}


def copied(bag: Path, target: Path) -> Path:
    return Path(shutil.copytree(bag, target))


def read(path, damaged="refuse"):
    """Topics of all messages that could be read and deserialised, and the notes."""
    with Bag(path, damaged) as bag:
        topics = [message.topic for message in bag.messages() if bag.deserialize(message) is not None]
        return topics, bag.notes


def edit_metadata(bag: Path, change) -> None:
    content = yaml.safe_load((bag / "metadata.yaml").read_text())
    change(content["rosbag2_bagfile_information"])
    (bag / "metadata.yaml").write_text(yaml.safe_dump(content))


def strings(path, chunks, compression="none", definition="string data\n", kind=STRING, encoding="ros2msg"):
    """An MCAP file of a chunk per second, written chunk by chunk as a recorder does; left without its end."""
    path.parent.mkdir(exist_ok=True)
    file = McapFile(path, compression)
    channel = file.channel("/words", file.schema(kind, encoding, definition if encoding else ""), {})
    for second in range(chunks):
        for i in range(10):
            text = f"{second}.{i}".encode() + b"\0"
            data = b"\0\1\0\0" + struct.pack("<I", len(text)) + text
            file.append(channel, data, second * 10**9 + i * 10**8, 0)
        file.flush()
    return file


# -- whole bags ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("storage", "compression"),
    [
        (s, c)
        for s in ("mcap", "sqlite3")
        for c in ("none", "message", "file", "storage")
        if (s, c) != ("sqlite3", "storage")
    ],
)
def test_both_storages_are_read_however_they_are_compressed(robot, tmp_path, storage, compression):
    topics, notes = read(robot.record(tmp_path / "bag", 0.5, storage, compression))
    assert len(topics) == COUNT // 2
    assert not notes


@pytest.mark.parametrize("compression", ["none", "zstd", "lz4"])
def test_compressed_chunks_are_read(tmp_path, compression):
    strings(tmp_path / "bag" / "bag_0.mcap", 3, compression).close()
    assert len(read(tmp_path / "bag")[0]) == 30


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_messages_come_in_the_order_of_the_recording(whole, storage):
    with Bag(whole[storage]) as bag:
        times = [message.log_ns for message in bag.messages()]
    assert times == sorted(times)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_single_file_is_a_bag(whole, storage):
    topics, notes = read(next(file for file in whole[storage].iterdir() if file.suffix != ".yaml"))
    assert len(topics) == COUNT
    assert "without the metadata.yaml" in notes[0]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_bag_without_metadata_is_read_from_its_files(whole, tmp_path, storage):
    bag = copied(whole[storage], tmp_path / "bag")
    (bag / "metadata.yaml").unlink()
    topics, notes = read(bag)
    assert len(topics) == COUNT
    assert notes == ["without metadata.yaml: read from the files themselves"]


@pytest.mark.parametrize("version", [4, 5, 6, 7, 8, 9])
def test_metadata_of_every_version_since_humble_is_read(whole, tmp_path, version):
    def older(information):
        information["version"] = version
        if version < 9:
            information.pop("ros_distro") if version < 8 else None
            for entry in information["topics_with_message_count"]:
                entry["topic_metadata"]["offered_qos_profiles"] = ""
                if version < 7:
                    entry["topic_metadata"].pop("type_description_hash")
        if version < 6:
            information.pop("custom_data")
        if version < 5:
            information.pop("files")

    bag = copied(whole["mcap"], tmp_path / "bag")
    edit_metadata(bag, older)
    assert read(bag) == ([*read(whole["mcap"])[0]], [])


def test_a_split_bag_is_read_in_the_order_of_its_numbers(tmp_path):
    for number in (0, 1, 2, 10):
        strings(tmp_path / "bag" / f"bag_{number}.mcap", 1).close()
    (tmp_path / "bag" / "bag_10.mcap").rename(tmp_path / "bag" / "bag_3.mcap")
    topics, _ = read(tmp_path / "bag")
    assert topics == ["/words"] * 40


def humble(path: Path) -> Path:
    """A sqlite3 bag as Humble wrote it: no definitions, no hashes."""
    path.mkdir()
    database = sqlite3.connect(path / "bag_0.db3")
    database.executescript(
        "CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);"
        "INSERT INTO schema VALUES(3, 'humble');"
        "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,"
        " serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);"
        "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, data BLOB NOT NULL);"
        "CREATE INDEX timestamp_idx ON messages (timestamp ASC);"
        f"INSERT INTO topics VALUES(1, '/words', '{STRING}', 'cdr', '');"
        "INSERT INTO topics VALUES(2, '/add/_service_event', 'demo/srv/Add_Event', 'cdr', '');"
    )
    for i in range(500):
        text = b"x" * 300 + b"\0"
        database.execute(
            "INSERT INTO messages VALUES(?, 1, ?, ?)", (i + 1, i, b"\0\1\0\0" + struct.pack("<I", len(text)) + text)
        )
    database.execute("INSERT INTO messages VALUES(501, 2, 501, x'00')")
    database.commit()
    database.close()
    return path


def test_types_that_the_bag_does_not_define_are_jazzys_and_service_events_are_left_out(tmp_path):
    topics, notes = read(humble(tmp_path / "bag"))
    assert topics == ["/words"] * 500
    assert "events of 1 services, left out" in notes


def test_a_type_of_its_own_is_read_by_the_bags_definition(tmp_path):
    strings(tmp_path / "bag" / "bag_0.mcap", 1, kind="my_msgs/msg/Word").close()
    with Bag(tmp_path / "bag") as bag:
        words = [bag.deserialize(message).data for message in bag.messages()]
    assert words[:2] == ["0.0", "0.1"]


def test_a_definition_that_does_not_fit_gives_way_to_jazzys(tmp_path):
    strings(tmp_path / "bag" / "bag_0.mcap", 1, definition="uint8 level\n").close()
    topics, notes = read(tmp_path / "bag")
    assert len(topics) == 10
    assert f"{STRING}: the bag's definition does not fit its messages, Jazzy's does" in notes


# -- what is not whole ---------------------------------------------------------------------------------------------


def test_a_killed_recording_is_read_to_its_last_complete_chunk(tmp_path):
    file = strings(tmp_path / "bag" / "bag_0.mcap", 3)
    content = (tmp_path / "bag" / "bag_0.mcap").read_bytes()
    file.abandon()
    (tmp_path / "bag" / "bag_0.mcap").write_bytes(content[:-100])  # in the last chunk's message index
    topics, notes = read(tmp_path / "bag")
    assert len(topics) == 30
    assert any("without an index" in note for note in notes)
    assert any("cut off at bytes" in note and "read up to there" in note for note in notes)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_truncated_copy_is_refused_with_file_and_place_or_read_as_far_as_it_goes(whole, tmp_path, storage):
    bag = copied(whole[storage], tmp_path / "bag")
    file = next(file for file in bag.iterdir() if file.suffix != ".yaml")
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    with pytest.raises(BagError, match=rf"^{file}: .*(damaged at (bytes \d+ to \d+|the (first )?row)|copy it again)"):
        read(bag)
    if storage == "mcap":
        topics, notes = read(bag, "skip")
        assert len(topics) < COUNT
        assert any(note.startswith(file.name) for note in notes)


def test_flipped_bytes_cost_one_chunk(tmp_path):
    strings(tmp_path / "bag" / "bag_0.mcap", 5).close()
    file = tmp_path / "bag" / "bag_0.mcap"
    content = bytearray(file.read_bytes())
    content[content.index(b"2.4\0")] ^= 0x10
    file.write_bytes(content)
    with pytest.raises(BagError, match=rf"{file}: damaged at bytes \d+ to \d+: .*checksum.*--damaged skip"):
        read(tmp_path / "bag")
    topics, notes = read(tmp_path / "bag", "skip")
    assert len(topics) == 40
    assert any("damaged at bytes" in note and "left out" in note for note in notes)


def test_a_damaged_page_of_sqlite_costs_the_rows_on_it(tmp_path):
    bag = humble(tmp_path / "bag")
    file = bag / "bag_0.db3"
    content = bytearray(file.read_bytes())
    page = content.index(b"x" * 300, len(content) // 2) // 4096
    content[page * 4096 : page * 4096 + 200] = bytes(200)
    file.write_bytes(content)
    with pytest.raises(BagError, match=rf"{file}: damaged at the row after \d+"):
        read(bag)
    topics, _ = read(bag, "skip")
    assert 400 < len(topics) < 500


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_flipped_byte_anywhere_is_refused_by_name_or_changes_nothing(tmp_path, place, flip):
    file = tmp_path / "one.mcap"
    if not file.exists():
        strings(file, 3).close()
        (tmp_path / "sound").write_bytes(file.read_bytes())
    damaged = bytearray((tmp_path / "sound").read_bytes())
    damaged[int(place * len(damaged))] ^= flip
    file.write_bytes(damaged)
    try:
        with Bag(file) as bag:
            words = [bag.deserialize(message).data for message in bag.messages()]
    except BagError as error:
        assert str(file) in str(error)
        return
    assert set(words) <= {f"{second}.{i}" for second in range(3) for i in range(10)}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda bag: next(bag.glob("*.mcap")).unlink(), r"mcap is missing; copy it there"),
        (lambda bag: (bag / "metadata.yaml").write_text("{"), r"metadata.yaml: expected what rosbag2 writes"),
        (
            lambda bag: edit_metadata(bag, lambda i: i.update(version=99)),
            r"metadata.yaml: expected a version of at most 9, got 99",
        ),
        (
            lambda bag: edit_metadata(bag, lambda i: i.update(compression_mode="file", compression_format="bz2")),
            "compression by zstd, got 'bz2'",
        ),
        (
            lambda bag: edit_metadata(
                bag, lambda i: i["topics_with_message_count"][0]["topic_metadata"].update(serialization_format="wrong")
            ),
            r"/cam/color/image_raw: expected the serialisation format cdr, got 'wrong'; convert it",
        ),
        (
            lambda bag: next(bag.glob("*.mcap")).write_bytes(b"no bag at all"),
            r"mcap: expected the first bytes .* of MCAP, got b'no bag a'",
        ),
        (
            lambda bag: edit_metadata(
                bag,
                lambda i: i["topics_with_message_count"][0]["topic_metadata"].update(type_description_hash="RIHS01_0"),
            ),
            r"/cam/color/image_raw at .*has the hash RIHS01_",
        ),
    ],
)
def test_what_is_wrong_with_a_bag_is_said_with_the_remedy(whole, tmp_path, change, problem):
    bag = copied(whole["mcap"], tmp_path / "bag")
    change(bag)
    with pytest.raises(BagError, match=problem) as refusal:
        read(bag)
    assert str(bag) in str(refusal.value)


def test_half_a_split_is_refused_or_read_without_it(tmp_path):
    for number in (0, 1, 2):
        strings(tmp_path / "bag" / f"bag_{number}.mcap", 1).close()
    (tmp_path / "bag" / "bag_1.mcap").unlink()
    with pytest.raises(BagError, match="number 1 of the split is missing"):
        read(tmp_path / "bag")
    topics, notes = read(tmp_path / "bag", "skip")
    assert len(topics) == 20
    assert any("number 1 of the split" in note for note in notes)


def test_a_type_that_nobody_knows_is_named(tmp_path):
    strings(tmp_path / "bag" / "bag_0.mcap", 1, kind="strange_msgs/msg/Unknown", encoding="").close()
    with pytest.raises(
        BagError, match="/words at 0.000 s .*expected a strange_msgs/msg/Unknown.*does not define the type"
    ):
        read(tmp_path / "bag")


def test_messages_that_are_not_what_their_definition_says_are_named(tmp_path):
    strings(tmp_path / "bag" / "bag_0.mcap", 1, definition="float64[9] data\n", kind="my_msgs/msg/Word").close()
    with pytest.raises(
        BagError, match=r"bag_0.mcap: /words at 0.000 s \(byte \d+\): expected a my_msgs/msg/Word, got 12 bytes"
    ):
        read(tmp_path / "bag")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "got nothing; check the name"),
        (lambda path: path.mkdir(), "no metadata.yaml and no .mcap or .db3"),
        (lambda path: path.write_text("hello"), "expected files of one storage"),
    ],
)
def test_what_is_no_bag_is_refused(tmp_path, make, problem):
    make(tmp_path / "bag")
    with pytest.raises(BagError, match=f"{tmp_path / 'bag'}: .*{problem}"):
        read(tmp_path / "bag")


def test_a_bag_of_ros_1_is_refused(tmp_path):
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n")
    with pytest.raises(BagError, match="got one of ROS 1; convert it"):
        read(tmp_path / "old.bag")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without the right")
def test_a_file_that_must_not_be_read_is_named(whole, tmp_path):
    bag = copied(whole["mcap"], tmp_path / "bag")
    os.seteuid(65534)
    try:
        with pytest.raises(BagError, match=f"{tmp_path}.*: Permission denied; give yourself the right"):
            read(bag)
    finally:
        os.seteuid(0)


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_command_lists_topics_and_says_why_a_bag_is_refused(whole, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["bag", "info", "--verify", str(whole["sqlite3"]), str(tmp_path / "empty")]) == 1
    out, err = capsys.readouterr()
    assert "sqlite3, 1 file, metadata.yaml of version 9" in out
    assert "/joint_states  sensor_msgs/msg/JointState  100 of 100 read" in out
    assert "empty: REFUSED" in err
