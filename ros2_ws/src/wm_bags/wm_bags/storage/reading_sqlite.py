"""sqlite3 files (.db3), of every schema that rosbag2 has had."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import suppress
from pathlib import Path

from wm_bags.storage.contents import Found, Topic
from wm_bags.storage.errors import BagError


class SqliteStorage:
    """One sqlite3 file. `file`: the one in the bag; `plain`: the same, without the compression of the whole."""

    def __init__(self, file: Path, plain: Path, skip: bool) -> None:
        self.file = file
        self.notes: list[str] = []
        self._skip = skip
        with plain.open("rb") as stream:  # sqlite's own words for a file that cannot be opened say little
            head = stream.read(16)
        if head != b"SQLite format 3\0":
            raise BagError(
                f"{file}: expected the first bytes of sqlite3, got {head!r}; it is no .db3 file, or its beginning is lost"
            )
        # Changes in a log beside the file are seen only when it is not taken for immutable.
        log = plain.with_name(plain.name + "-wal")
        how = (
            "mode=ro" if log.exists() else "immutable=1"
        )  # neither makes a file; "#", "?" and "%" of a name are no part of this
        self._connection = sqlite3.connect(f"{plain.absolute().as_uri()}?{how}", uri=True)
        self._connection.text_factory = lambda data: data.decode(errors="replace")
        try:
            self.topics = self._topics()
        except sqlite3.Error as error:
            self.close()
            raise BagError(f"{file}: expected the tables of rosbag2, got: {error}; copy it again") from error

    def close(self) -> None:
        self._connection.close()

    def messages(self, wanted: Set[str], counts: Counter[str]) -> Iterator[Found]:
        """Messages of these topics by time of recording, and damage; `counts` is given those of all topics."""
        names = dict(self._connection.execute("SELECT id, name FROM topics"))
        last, problem = None, ""
        try:
            for row, number, log_ns, data in self._connection.execute(
                "SELECT id, topic_id, timestamp, data FROM messages ORDER BY timestamp, id"
            ):
                last = row
                topic = names.get(number, "")
                counts[topic] += 1
                if topic in wanted:
                    yield Found(topic, log_ns, data, f"row {row}")
        except sqlite3.Error as error:
            problem = str(error)
        if problem:
            place = f"the row after {last}" if last is not None else "the first row"
            yield Found(place=place, problem=problem, counted=counts.total())
            if self._skip:
                yield from self._behind(wanted, counts, names, last or 0)

    def _topics(self) -> dict[str, Topic]:
        columns = {row[1] for row in self._connection.execute("PRAGMA table_info(topics)")}
        if not columns:
            raise sqlite3.DatabaseError("no table of topics")
        hashes = "type_description_hash" if "type_description_hash" in columns else "''"
        definitions: dict[str, tuple[str, str]] = {}
        with suppress(sqlite3.OperationalError):  # no such table before Iron
            for kind, encoding, text in self._connection.execute(
                "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
            ):
                definitions[kind] = encoding, text
        counts: dict[int, int] = {}
        with suppress(sqlite3.DatabaseError):  # damage is reported when it is read
            counts = dict(self._connection.execute("SELECT topic_id, count(*) FROM messages GROUP BY topic_id"))
        topics: dict[str, Topic] = {}
        for number, name, kind, form, digest in self._connection.execute(
            f"SELECT id, name, type, serialization_format, {hashes} FROM topics"
        ):
            encoding, text = definitions.get(kind, ("", ""))
            topics[name] = Topic(name, kind, form, encoding, text, digest or "", counts.get(number, 0))
        return topics

    def _behind(self, wanted: Set[str], counts: Counter[str], names: dict[int, str], row: int) -> Iterator[Found]:
        """What can be read behind damage, by row: a page that cannot be read costs the rows on it."""
        newest = 0
        with suppress(sqlite3.Error):
            newest = self._connection.execute("SELECT max(id) FROM messages").fetchone()[0] or 0
        stride = 1
        while row < newest:
            try:
                for found, number, log_ns, data in self._connection.execute(
                    "SELECT id, topic_id, timestamp, data FROM messages WHERE id > ? ORDER BY id", (row,)
                ):
                    row, stride = found, 1
                    counts[names.get(number, "")] += 1
                    if names.get(number) in wanted:
                        yield Found(names[number], log_ns, data, f"row {row}")
                return
            except sqlite3.Error:
                row += stride
                stride *= 2
