"""Repair of bags that rosbag2 and others wrote: compressed, of older versions, with files missing. None is less than before."""

import shutil

import pytest
import yaml
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer

from wm_bags.storage.errors import BagError
from wm_bags.storage.reading import Bag
from wm_bags.storage.repair import repair
from wm_core.bags import typestore
from wm_core.command_line import main

KIND = "std_msgs/msg/String"
TYPES = typestore()
NOW = QosTime(0, 0)
LATCHED = Qos(
    QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL,
    NOW, NOW, QosLiveliness.AUTOMATIC, NOW, False,
)  # fmt: skip


def recorded(folder, compression="none", version=9, first=0, words=20, profiles=(LATCHED,)):
    """A bag of numbered words, and a topic on which nothing was said."""
    writer = Writer(folder, version=version, storage_plugin=StoragePlugin.MCAP)
    if compression != "none":
        writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    with writer:
        said = writer.add_connection("/words", KIND, typestore=TYPES, offered_qos_profiles=profiles)
        writer.add_connection("/silent", KIND, typestore=TYPES)
        for i in range(first, first + words):
            word = TYPES.types[KIND](data=f"word {i} " + 200 * "x")
            writer.write(said, i * 10**8, TYPES.serialize_cdr(word, KIND))
    return folder


def words(folder, damaged="refuse"):
    """The numbers of the words that wm reads."""
    with Bag(folder, damaged) as bag:
        return [int(bag.deserialize(message).data.split()[1]) for message in bag.messages()]


def words_of_rosbags(folder):
    """The same by a reader that goes by metadata.yaml alone, as rosbag2 does."""
    with Reader(folder) as reader:
        messages = [(connection, bytes(data)) for connection, _, data in reader.messages()]
        assert reader.message_count == len(messages)
        assert set(reader.topics) == {"/words", "/silent"}
        return [int(TYPES.deserialize_cdr(data, c.msgtype).data.split()[1]) for c, data in messages]


def said(folder):
    return yaml.safe_load((folder / "metadata.yaml").read_text())["rosbag2_bagfile_information"]


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def outdated(bag):
    """As the metadata.yaml of a recorder that was killed: it counts what was there when it was written last."""
    text = (bag / "metadata.yaml").read_text()
    (bag / "metadata.yaml").write_text(text.replace("message_count: 20", "message_count: 3"))


def without_end(file):
    """As the file of a recorder that was killed after a chunk: nothing that was said is lost."""
    file.write_bytes(file.read_bytes()[:-40])


def cut_off(file, share=0.6):
    file.write_bytes(file.read_bytes()[: round(share * file.stat().st_size)])


@pytest.fixture
def killed(tmp_path):
    """`ros2 bag record -s mcap --compression-mode file --compression-format zstd`, killed in its second file."""
    bag = tmp_path / "killed"
    bag.mkdir()
    for number, compression in ((0, "file"), (1, "none")):
        one = recorded(tmp_path / f"part_{number}", compression, first=20 * number)
        (file,) = one.glob("*.mcap*")
        shutil.move(file, bag / file.name.replace(file.name.split(".")[0], f"killed_{number}"))
    without_end(bag / "killed_1.mcap")
    return bag


# -- compressed as a whole ----------------------------------------------------------------------------------------


def test_a_killed_recording_with_compressed_files_keeps_all_of_them(killed):
    assert words(killed) == list(range(40))
    assert "killed_1.mcap.zstd: compressed, as the others of the bag are" in repair(killed).describe()
    assert sorted(path.name for path in killed.glob("*.mcap*")) == ["killed_0.mcap.zstd", "killed_1.mcap.zstd"]
    assert (said(killed)["compression_mode"], said(killed)["compression_format"]) == ("FILE", "zstd")
    assert words(killed) == words_of_rosbags(killed) == list(range(40))
    before = bytes_of(killed)
    assert not repair(killed).metadata and bytes_of(killed) == before


def test_a_damaged_compressed_file_is_repaired_and_stays_beside_it(killed):
    cut_off(killed / "killed_0.mcap.zstd")
    damaged = (killed / "killed_0.mcap.zstd").read_bytes()
    printed = repair(killed).describe()
    assert (
        "killed_0.mcap.zstd: repaired" in printed
        and "the file as it was put aside in killed_0.mcap.zstd.cut" in printed
    )
    assert (killed / "killed_0.mcap.zstd.cut").read_bytes() == damaged
    assert words(killed) == words_of_rosbags(killed) and set(range(20, 40)) <= set(words(killed))


def test_of_a_file_in_both_forms_the_one_that_holds_more_is_used_once(killed):
    """Whoever is killed while he compresses a file leaves it beside a part of its compressed form."""
    compressed = recorded(killed.parent / "other", "file", first=20)
    shutil.copy(next(compressed.glob("*.zstd")), killed / "killed_1.mcap.zstd")
    assert words(killed) == list(range(40))  # of the two the one that rosbag2 has not deleted yet
    cut_off(killed / "killed_1.mcap.zstd")
    assert words(killed) == list(range(40))
    assert "killed_1.mcap.zstd: another copy of killed_1.mcap, not used" in repair(killed).describe()
    assert words(killed) == words_of_rosbags(killed) == list(range(40))


def test_an_unpacked_copy_that_a_player_left_changes_nothing(tmp_path):
    bag = recorded(tmp_path / "bag", "file")
    shutil.copy(next(recorded(tmp_path / "plain" / "bag").glob("*.mcap")), bag / "bag.mcap")
    before = bytes_of(bag)
    assert not repair(bag).metadata
    assert bytes_of(bag) == before


@pytest.mark.parametrize("name", ["bag_1.mcap.lz4", "bag_1.mcap.zst"])
def test_files_that_cannot_be_unpacked_here_are_not_forgotten(tmp_path, name):
    bag = recorded(tmp_path / "bag")
    (bag / name).write_bytes(b"compressed by hand")
    (bag / "metadata.yaml").unlink()
    with pytest.raises(BagError, match=f"got {name}; unpack them first"):
        repair(bag)


# -- compressed message by message --------------------------------------------------------------------------------


def test_a_bag_of_compressed_messages_stays_one(tmp_path):
    bag = recorded(tmp_path / "bag", "message")
    before = bytes_of(bag)
    assert not repair(bag).metadata and bytes_of(bag) == before
    outdated(bag)
    assert repair(bag).metadata
    assert said(bag)["compression_mode"].lower() == "message" and said(bag)["compression_format"] == "zstd"
    assert words_of_rosbags(bag) == list(range(20))


@pytest.mark.parametrize("lost", ["metadata.yaml", "the mode"])
def test_that_messages_are_compressed_is_seen_in_them(tmp_path, lost):
    """Also where a repair of an earlier version of wm has written that they are not."""
    bag = recorded(tmp_path / "bag", "message")
    if lost == "metadata.yaml":
        (bag / "metadata.yaml").unlink()
    else:
        text = (bag / "metadata.yaml").read_text()
        (bag / "metadata.yaml").write_text(text.replace("compression_mode: message", "compression_mode: ''"))
    assert repair(bag).metadata
    assert words_of_rosbags(bag) == words(bag) == list(range(20))


# -- metadata.yaml ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [8, 9])
def test_a_whole_bag_of_any_version_is_left_alone(tmp_path, version):
    bag = recorded(tmp_path / "bag", version=version)
    before = bytes_of(bag)
    assert not repair(bag).metadata and bytes_of(bag) == before


def test_an_older_version_stays_what_its_rosbag2_reads(tmp_path):
    """Humble reads no version 9: its QoS profiles are a text, with numbers for names. Topics without messages are kept."""
    bag = recorded(tmp_path / "bag", version=8)
    before = said(bag)
    outdated(bag)
    assert repair(bag).metadata
    assert said(bag) == before | {"compression_mode": "", "compression_format": ""}
    assert words_of_rosbags(bag) == list(range(20))


def test_without_metadata_the_profiles_of_an_older_version_get_names(tmp_path):
    bag = recorded(tmp_path / "bag", version=8)
    (bag / "metadata.yaml").unlink()
    repair(bag)
    topics = {each["topic_metadata"]["name"]: each["topic_metadata"] for each in said(bag)["topics_with_message_count"]}
    (profile,) = topics["/words"]["offered_qos_profiles"]
    assert (profile["durability"], profile["reliability"], profile["depth"]) == ("transient_local", "reliable", 1)
    assert said(bag)["version"] == 9 and words_of_rosbags(bag) == list(range(20))


def test_profiles_that_no_file_says_are_kept(tmp_path):
    """What rosbag2 converted has them in metadata.yaml only."""
    bag = recorded(tmp_path / "bag", version=8, profiles=())
    text = "- {history: 1, depth: 7, reliability: 1, durability: 1}"
    edited = (bag / "metadata.yaml").read_text().replace("offered_qos_profiles: ''", f'offered_qos_profiles: "{text}"')
    (bag / "metadata.yaml").write_text(edited)
    outdated(bag)
    assert repair(bag).metadata
    assert all(
        each["topic_metadata"]["offered_qos_profiles"] == text for each in said(bag)["topics_with_message_count"]
    )
    with Bag(bag) as opened:
        assert opened.topics["/words"].offered_qos == text


def test_metadata_that_fits_the_repaired_files_is_not_touched(tmp_path):
    bag = recorded(tmp_path / "bag", version=8)
    before = (bag / "metadata.yaml").read_bytes()
    without_end(next(bag.glob("*.mcap")))
    result = repair(bag)
    assert "repaired, 20 messages kept" in result.describe() and not result.metadata
    assert (bag / "metadata.yaml").read_bytes() == before and words_of_rosbags(bag) == list(range(20))


def test_a_newer_version_is_not_replaced_by_an_older_one(tmp_path):
    bag = recorded(tmp_path / "bag")
    text = (bag / "metadata.yaml").read_text().replace("version: 9", "version: 10")
    (bag / "metadata.yaml").write_text(text)
    cut_off(next(bag.glob("*.mcap")))
    before = bytes_of(bag)
    with pytest.raises(BagError, match="expected a version of at most 9, got 10"):
        repair(bag)
    assert bytes_of(bag) == before


# -- files that are missing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", [True, False])
def test_a_bag_that_lacks_files_does_not_become_one_that_looks_complete(tmp_path, capsys, listed):
    """By its metadata.yaml, or, without one, by the numbers of its files."""
    bag = recorded(tmp_path / "bag")
    (file,) = bag.glob("*.mcap")
    file.rename(bag / "bag_1.mcap")
    names = "relative_file_paths: [bag_0.mcap, bag_1.mcap]"
    text = (bag / "metadata.yaml").read_text().replace(f"relative_file_paths:\n  - {file.name}", names)
    (bag / "metadata.yaml").write_text(text)
    if not listed:
        (bag / "metadata.yaml").unlink()
    assert main(["bag", "repair", str(bag)]) == 1
    missing = "bag_0.mcap" if listed else "number 0 of the split"
    assert f"{missing} is missing; copy it there, or, if it is lost" in capsys.readouterr().err
    assert main(["bag", "repair", "--incomplete", str(bag)]) == 0
    assert words(bag) == words_of_rosbags(bag) == list(range(20))
