"""Files of a collection, made in parallel processes with a progress bar; an interrupted collection goes on."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from wm_core.atomic import worker_pool


class OfFile(Protocol):
    """What is to be collected into one file."""

    @property
    def file(self) -> Path: ...


Shard = TypeVar("Shard", bound=OfFile)


def collect_files(
    label: str, shards: Sequence[Shard], collect: Callable[[Shard], tuple[Path, str]], workers: int
) -> list[Path]:
    """Collect each shard whose file does not exist; returns all files. `collect` answers with its file and what to say of it."""
    missing = [shard for shard in shards if not shard.file.exists()]
    with worker_pool(workers) as pool:
        futures = [pool.submit(collect, shard) for shard in missing]
        for done, future in enumerate(as_completed(futures), 1):
            file, said = future.result()
            filled = round(20 * done / len(missing))
            bar = "#" * filled + " " * (20 - filled)
            print(f"{label} [{bar}] {done}/{len(missing)}  {file.name}: {said}", flush=True)
    return [shard.file for shard in shards]


def one_thread() -> None:
    """Of a worker, beside others."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def save(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays completely or not at all."""
    part = file.with_suffix(".part.npz")
    np.savez_compressed(part, allow_pickle=False, **arrays)
    part.replace(file)
