"""Files of bags, written and spoilt below the level of what records them, and read with what is noted of them."""

import shutil
import sqlite3
import struct
from pathlib import Path

import yaml

from wm_bags.storage.mcap_file import McapFile
from wm_bags.storage.reading import Bag

COUNT = 30 * 3 + 100 + 10  # messages of one second
STRING = "std_msgs/msg/String"


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
