"""Bags that are not whole: all that is whole is read, and what is not is refused with file and place, or left out."""

import os

import bag_files
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wm_bags.storage.errors import BagError
from wm_bags.storage.reading import Bag

COUNT, copied, read, edit_metadata = bag_files.COUNT, bag_files.copied, bag_files.read, bag_files.edit_metadata
strings, humble = bag_files.strings, bag_files.humble


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
