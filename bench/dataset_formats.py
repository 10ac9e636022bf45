"""Which file format suits a dataset's maps: size, writing, and reading as the trainer does, for the same maps in one run.

Windows: batches of 32 windows of 7 steps from random places. Each format is read by a process of its own, with the files in the page
cache; memory is what the process holds for itself (mapped files are the page cache's). Time is CPU time, which what else runs
disturbs least; with compression it is most of it.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _common import recorded, result_options, table, write_json
from _results import Line

from wm_data.collect import Batch, collect_bag
from wm_data.dataset import Dataset
from wm_data.dataset_build import build_dataset

BATCH, LENGTH = 32, 7
EPISODE = 50  # rows of a row group or record batch
Shape = tuple[int, ...]
Read = Callable[[np.ndarray], np.ndarray]  # indices (n,), rising within a window -> rows (n, *row)


# -- formats: write all rows; open for reading ----------------------------------------------------------------------


def write_npy(file: Path, rows: np.ndarray) -> None:
    with open(file, "wb") as out:
        np.save(out, rows)


def open_npy(file: Path, shape: Shape) -> Read:
    values = np.load(file, mmap_mode="r")
    return lambda index: values[index]


def write_npz(file: Path, rows: np.ndarray) -> None:
    with open(file, "wb") as out:
        np.savez_compressed(out, bev=rows)


def open_npz(file: Path, shape: Shape) -> Read:
    values = np.load(file)["bev"]  # there is no reading of a part
    return lambda index: values[index]


def _batches(rows: np.ndarray, kind: pa.DataType) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(rows), EPISODE):
        part = [row.tobytes() for row in rows[start : start + EPISODE]]
        yield pa.record_batch([pa.array(part, kind)], ["bev"])


def parquet_writer(group: int) -> Callable[[Path, np.ndarray], None]:
    def write(file: Path, rows: np.ndarray) -> None:
        schema = pa.schema([("bev", pa.binary())])
        with pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=False, write_statistics=False) as writer:
            for batch in _batches(rows, pa.binary()):
                writer.write_batch(batch, row_group_size=group)

    return write


def parquet_opener(group: int) -> Callable[[Path, Shape], Read]:
    def open_file(file: Path, shape: Shape) -> Read:
        source = pq.ParquetFile(file, memory_map=True)
        sizes = [source.metadata.row_group(i).num_rows for i in range(source.num_row_groups)]
        begins = np.cumsum([0, *sizes])

        def read(index: np.ndarray) -> np.ndarray:
            rows = np.empty((len(index), *shape), np.uint8)
            owner = np.searchsorted(begins, index, side="right") - 1
            for each in np.unique(owner):
                column = source.read_row_group(int(each), columns=["bev"], use_threads=False)["bev"]
                for i in np.flatnonzero(owner == each):
                    value = column[int(index[i] - begins[each])]
                    rows[i] = np.frombuffer(value.as_buffer(), np.uint8).reshape(shape)
            return rows

        return read

    return open_file


def write_arrow(file: Path, rows: np.ndarray) -> None:
    kind = pa.binary(rows[0].nbytes)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, pa.schema([("bev", kind)])) as writer:
        for batch in _batches(rows, kind):
            writer.write_batch(batch)


def open_arrow(file: Path, shape: Shape) -> Read:
    reader = pa.ipc.open_file(pa.memory_map(str(file)))
    # A column of fixed size is one buffer: rows are looked at in the mapped file.
    parts = [
        np.frombuffer(reader.get_batch(i).column(0).buffers()[1], np.uint8).reshape(-1, *shape)
        for i in range(reader.num_record_batches)
    ]

    def read(index: np.ndarray) -> np.ndarray:
        return np.stack([parts[i // EPISODE][i % EPISODE] for i in index])

    return read


@dataclass(frozen=True)
class Format:
    write: Callable[[Path, np.ndarray], None]
    open: Callable[[Path, Shape], Read]


FORMATS = {
    ".npy, memory-mapped": Format(write_npy, open_npy),
    ".npz, compressed, in memory": Format(write_npz, open_npz),
    f"Parquet, zstd, {EPISODE} rows a group": Format(parquet_writer(EPISODE), parquet_opener(EPISODE)),
    f"Parquet, zstd, {LENGTH} rows a group": Format(parquet_writer(LENGTH), parquet_opener(LENGTH)),
    "Arrow IPC, memory-mapped": Format(write_arrow, open_arrow),
}


# -- measuring -------------------------------------------------------------------------------------------------------


def measure(name: str, rows: np.ndarray, file: Path, batches: int) -> dict[str, Any]:
    """Seconds of CPU and of the clock, bytes; raises AssertionError when what is read is not what was written."""
    began = time.process_time(), time.perf_counter()
    FORMATS[name].write(file, rows)
    figures: dict[str, Any] = {"write_cpu_s": time.process_time() - began[0], "write_s": time.perf_counter() - began[1]}
    figures["bytes"] = file.stat().st_size
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        read = pool.submit(measure_reading, name, file, rows.shape, batches, int(rows[::97].astype(np.int64).sum()))
        return figures | read.result()


def measure_reading(name: str, file: Path, shape: Shape, batches: int, checksum: int) -> dict[str, float]:
    file.read_bytes()  # into the page cache
    before = own_memory()
    began = time.process_time()
    read = FORMATS[name].open(file, shape[1:])
    figures = {"open_cpu_s": time.process_time() - began}
    rng = np.random.default_rng(0)
    read(np.arange(LENGTH))
    began, began_s = time.process_time(), time.perf_counter()
    for _ in range(batches):
        starts = rng.integers(0, shape[0] - LENGTH, BATCH)
        read((starts[:, None] + np.arange(LENGTH)).reshape(-1))
    figures["batch_cpu_s"] = (time.process_time() - began) / batches
    figures["batch_s"] = (time.perf_counter() - began_s) / batches
    began = time.process_time()
    total = 0
    for start in range(0, shape[0], EPISODE):
        index = np.arange(start, min(start + EPISODE, shape[0]))
        total += int(read(index)[(-start) % 97 :: 97].astype(np.int64).sum())
    figures["sequential_cpu_s"] = time.process_time() - began
    assert total == checksum, f"{name}: expected what was written, read something else"
    return figures | {"memory": own_memory() - before}


def own_memory() -> int:
    """Bytes that this process holds beside mapped files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("RssAnon")))


def maps_of(folder: Path, steps: int, work: Path) -> np.ndarray:
    """Maps (n, cameras, 5, rows, columns) of a dataset, or of one that is collected when there is none."""
    if not (folder / "dataset.json").exists():
        print(f"there is no dataset in {folder}: collecting 20 episodes")
        bag = collect_bag(Batch("tabletop_block", 9000, 20, 50, work / "bags"))
        return np.array(build_dataset([bag], work / "dataset", 1).bev[:steps])
    return np.array(Dataset.load(folder).bev[:steps])


def tables(lines: list[Line]) -> str:
    """The newest run."""
    found = lines[-1]["result"]
    megabytes = found["megabytes"]
    cells = [
        (
            title,
            f"{f['bytes'] / 1e6:.1f}",
            f"{megabytes / f['write_cpu_s']:.0f} ({f['write_s']:.1f} s)",
            f"{1000 * f['batch_cpu_s']:.1f} ({1000 * f['batch_s']:.1f})",
            f"{megabytes / f['sequential_cpu_s']:.0f}",
            f"{f['open_cpu_s']:.2f}",
            f"{f['memory'] / 1e6:.0f}",
        )
        for title, f in found["formats"].items()
    ]
    header = (
        "format",
        "size [MB]",
        "write [MB/s of CPU]",
        "windows [ms of CPU a batch (clock)]",
        "in order [MB/s of CPU]",
        "open [s of CPU]",
        "own memory [MB]",
    )
    return f"{found['steps']} steps, {megabytes:.0f} MB of maps; page cache warm\n\n{table(header, cells)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("runs/dataset"))
    parser.add_argument("--steps", type=int, default=4000, help="first steps of the dataset that are used")
    parser.add_argument(
        "--noise", type=int, default=0, help="added to all that is seen, as a camera's: simulated maps have none"
    )
    parser.add_argument("--batches", type=int, default=50)
    parser.add_argument("--json", type=Path, default=None, help="also write the figures to this file")
    result_options(parser)
    args = parser.parse_args()
    results = recorded("dataset_formats", args, "noise", "batches", robot=False)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        work = Path(name)
        rows = maps_of(args.data, args.steps, work)
        if args.noise:
            added = np.random.default_rng(0).integers(-args.noise, args.noise, rows.shape, np.int8, endpoint=True)
            rows = np.where(rows, np.clip(rows.astype(np.int16) + added, 1, 255), 0).astype(np.uint8)
        report = {title: measure(title, rows, work / f"{i}.maps", args.batches) for i, title in enumerate(FORMATS)}
    line = results.add({"steps": len(rows), "megabytes": rows.nbytes / 1e6, "formats": report})
    print(tables([line]))
    write_json(args.json, report)


if __name__ == "__main__":
    main()
