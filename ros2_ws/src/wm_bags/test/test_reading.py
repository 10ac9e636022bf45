"""Bags of any storage, compression and version are read whole, and types by the best definition that there is."""

import bag_files
import pytest

from wm_bags.storage.reading import Bag
from wm_core.command_line import main

COUNT, STRING, copied, read = bag_files.COUNT, bag_files.STRING, bag_files.copied, bag_files.read
edit_metadata, strings, humble = bag_files.edit_metadata, bag_files.strings, bag_files.humble


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


@pytest.mark.parametrize("name", ["run #2", "slow?", "50%20speed"])
@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_folder_may_have_any_name(whole, tmp_path, storage, name):
    bag = copied(whole[storage], tmp_path / name)
    with Bag(bag) as opened:
        assert sum(1 for _ in opened.messages()) == COUNT
    assert [path.name for path in tmp_path.iterdir()] == [name]  # and nothing is made beside it


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


def test_the_command_lists_topics_and_says_why_a_bag_is_refused(whole, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["bag", "info", "--verify", str(whole["sqlite3"]), str(tmp_path / "empty")]) == 1
    out, err = capsys.readouterr()
    assert "sqlite3, 1 file, metadata.yaml of version 9" in out
    assert "/joint_states  sensor_msgs/msg/JointState  100 of 100 read" in out
    assert "empty: REFUSED" in err
