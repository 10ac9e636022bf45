"""Recordings that never block, that end before the disk is full, and the ring buffer that is written when something happens."""

import errno
import os
import shutil
import time
from collections import namedtuple

import pytest
import yaml

from wm_bags.record.recording import OneBag, Recording
from wm_bags.record.ring import Ring, Snapshots
from wm_bags.record.topics import TOPICS, Choice, complete
from wm_bags.storage.definitions import definition_of
from wm_bags.storage.metadata import Topic
from wm_bags.storage.reading import Bag
from wm_bags.storage.writer import Storage

S = 10**9
IMAGE = Topic("/image", definition_of("sensor_msgs/msg/Image"), [{"durability": "volatile"}])
BUNDLE = Topic("/wm/active_bundle", definition_of("wm_msgs/msg/ActiveBundle"), [{"durability": "transient_local"}])


def messages(folder):
    with Bag(folder) as bag:
        return [(message.topic, message.data, message.log_ns) for message in bag.messages()]


def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_recording_writes_what_it_was_given(tmp_path):
    recording = Recording(OneBag(tmp_path / "bag", Storage()), 10**6, 0)
    recording.announce(BUNDLE)
    for i in range(100):
        recording.put(IMAGE, b"%d" % i, i, i)
    last = recording.close()
    assert (last.state, last.messages, last.dropped) == ("finished", 100, 0)
    assert messages(tmp_path / "bag") == [("/image", b"%d" % i, i) for i in range(100)]
    metadata = yaml.safe_load((tmp_path / "bag/metadata.yaml").read_text())["rosbag2_bagfile_information"]
    counts = {t["topic_metadata"]["name"]: t["message_count"] for t in metadata["topics_with_message_count"]}
    assert counts == {"/wm/active_bundle": 0, "/image": 100}


def test_what_the_disk_is_too_slow_for_is_dropped_and_counted(tmp_path, monkeypatch):
    target, released = OneBag(tmp_path / "bag", Storage()), []
    write = target.write
    monkeypatch.setattr(target, "write", lambda *message: (until(lambda: released), write(*message)))
    recording = Recording(target, 1000, 0)
    begin = time.monotonic()
    for i in range(100):
        recording.put(IMAGE, bytes(100), i, i)  # ten of them fit
    assert time.monotonic() - begin < 5  # the caller never waits, whatever the disk does
    assert recording.status().dropped == 90
    released.append(True)
    last = recording.close()
    assert (last.messages, last.dropped) == (10, 90)


def test_it_ends_before_the_disk_is_full_and_says_so(tmp_path, monkeypatch):
    recording = Recording(OneBag(tmp_path / "bag", Storage()), 10**6, 500)
    recording.put(IMAGE, b"before", 1, 1)
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1000, 600, 400))
    until(lambda: recording.status().state.startswith("stopped"))
    state = recording.status().state
    assert "expected 0 MB to stay free" in state and "min_free_bytes" in state
    recording.put(IMAGE, b"after", 2, 2)
    last = recording.close()
    assert (last.messages, last.dropped) == (1, 1)
    assert messages(tmp_path / "bag") == [("/image", b"before", 1)]


def test_a_disk_that_is_too_full_from_the_start_is_refused(tmp_path):
    with pytest.raises(ValueError, match="bag: expected .* MB to stay free on the disk, there are"):
        Recording(OneBag(tmp_path / "bag", Storage()), 10**6, 10**18)


def test_a_write_error_ends_the_recording_and_keeps_what_was_written(tmp_path, monkeypatch):
    recording = Recording(OneBag(tmp_path / "bag", Storage(flush_s=0.0)), 10**6, 0)
    recording.put(IMAGE, b"good", 1, 1)
    until(lambda: recording.status().messages == 1)

    def full(fd, buffers):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "writev", full)
        recording.put(IMAGE, b"lost", 2, 2)
        until(lambda: recording.status().state.startswith("stopped"))
    assert "bag_0.mcap: the first" in recording.status().state and "No space left" in recording.status().state
    last = recording.close()
    assert (last.messages, last.dropped) == (1, 1)
    assert messages(tmp_path / "bag") == [("/image", b"good", 1)]


def test_the_ring_keeps_the_newest_seconds_and_bytes():
    ring = Ring(2.0, 10**6)
    for i in range(100):
        ring.push((IMAGE, bytes(10), i * S // 10, 0))
    assert [log_ns for _, _, log_ns, _ in ring.drain()] == [i * S // 10 for i in range(79, 100)]
    assert ring.bytes == 0
    small = Ring(100.0, 50)
    for i in range(100):
        small.push((IMAGE, bytes(10), i, 0))
    assert [log_ns for _, _, log_ns, _ in small.drain()] == [95, 96, 97, 98, 99]
    with pytest.raises(ValueError, match="expected more than 0 s"):
        Ring(0.0, 1)


def test_latched_messages_are_kept_for_every_snapshot():
    ring = Ring(1.0, 10**6)
    ring.push((BUNDLE, b"first model", 1, 1))
    for i in range(5, 8):
        ring.push((IMAGE, b"image", i * S, 0))
    for _ in range(2):
        (latched, *_) = list(ring.drain())
        assert latched == (BUNDLE, b"first model", 6 * S, 1)  # with the first image: a player does not wait
        ring.push((IMAGE, b"image", 6 * S, 0))


def test_a_trigger_writes_the_seconds_before_and_after_it(tmp_path):
    snapshots = Snapshots(tmp_path, Storage(), before_s=1.0, after_s=0.5, max_bytes=10**6)
    snapshots.write(BUNDLE, b"model", 0, 0)

    def pass_time(begin, end):
        for tenth in range(begin, end):
            snapshots.write(IMAGE, b"%d" % tenth, tenth * S // 10, 0)
            snapshots.tick(tenth * S // 10)

    pass_time(1, 30)
    assert snapshots.folder is None and not list(tmp_path.iterdir())
    snapshots.trigger(29 * S // 10, "drift")
    first = snapshots.folder
    pass_time(30, 33)
    snapshots.trigger(32 * S // 10, "still drifting")
    pass_time(33, 60)
    assert snapshots.folder is None
    snapshots.trigger(59 * S // 10, "e_stop")
    snapshots.close()
    second = next(folder for folder in tmp_path.iterdir() if folder != first)
    for folder, tenths, reason in ((first, range(19, 39), "drift"), (second, range(49, 60), "e_stop")):
        assert [data for topic, data, _ in messages(folder) if topic == "/image"] == [b"%d" % tenth for tenth in tenths]
        assert [data for topic, data, _ in messages(folder) if topic == BUNDLE.name] == [b"model"]
        metadata = yaml.safe_load((folder / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
        assert metadata["custom_data"] == {"trigger": reason}


def test_a_recording_of_snapshots_waits_for_its_triggers(tmp_path):
    recording = Recording(Snapshots(tmp_path, Storage(), 100.0, 0.1, 10**6), 10**6, 0)
    assert recording.status().state == "waiting"
    recording.put(IMAGE, b"before", time.time_ns(), 1)
    time.sleep(0.1)
    recording.trigger("a person")
    until(lambda: recording.status().messages == 1 and recording.status().state == "waiting")
    recording.put(IMAGE, b"in the ring", time.time_ns(), 2)
    last = recording.close()
    assert (last.messages, last.dropped) == (1, 0)
    (folder,) = tmp_path.iterdir()
    assert [data for _, data, _ in messages(folder)] == [b"before"]


def test_topics_are_chosen_by_name_by_pattern_or_all_but_hidden_ones():
    assert "/a" in Choice(frozenset({"/a"})) and "/b" not in Choice(frozenset({"/a"}))
    everything = Choice(everything=True, exclude="image")
    assert "/b" in everything and "/camera/image" not in everything
    assert "/wm/pursue_goal/_action/status" not in everything and "/_hidden" not in everything
    assert "/wm/plan" in Choice(regex="^/wm/") and "/plan" not in Choice(regex="^/wm/")
    with pytest.raises(ValueError, match="regex: expected a regular expression"):
        Choice(regex="(")


def test_a_complete_recording_knows_all_its_types():
    names = [each.name for each in complete(["camera"])]
    assert len(names) == len(set(names)) == len(TOPICS) + 3 and "camera/color/image_raw" in names
    assert all(definition_of(each.type).hash for each in complete(["camera"]))
