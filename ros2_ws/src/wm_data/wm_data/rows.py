"""Several arrays as one along the first axis, without copying: memory-mapped files stay on disk."""

from collections.abc import Sequence
from typing import Any

import numpy as np


class JoinedRows:
    """A read-only view of arrays (n_i, c_i, ...) of one dtype as one (sum n_i, max c_i, ...); indexing returns copies.

    Where a part has fewer columns c_i than others, the missing ones are zero.
    """

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        if len({(part.shape[2:], part.ndim, part.dtype) for part in parts}) != 1:
            raise ValueError(f"expected arrays of one kind of row, got {[(p.shape, str(p.dtype)) for p in parts]}")
        self._parts = list(parts)
        self._ends = np.cumsum([len(part) for part in parts])
        self.shape = (int(self._ends[-1]), max(part.shape[1] for part in parts), *parts[0].shape[2:])
        self.dtype = parts[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        """Rows by an integer, a slice, an array of indices of any shape, or a mask (n,)."""
        if isinstance(key, tuple):
            return self[key[0]][(slice(None),) * (np.ndim(key[0]) or int(isinstance(key[0], slice))) + key[1:]]
        if isinstance(key, slice):
            key = np.arange(*key.indices(len(self)))
        index = np.asarray(key)
        if index.dtype == bool:
            index = np.flatnonzero(index)
        index = index.astype(np.int64)
        if index.size and (index.min() < -len(self) or index.max() >= len(self)):
            raise IndexError(f"expected indices below {len(self)}, got {index.min()}..{index.max()}")
        flat = np.where(index < 0, index + len(self), index).reshape(-1)
        rows = np.zeros((len(flat), *self.shape[1:]), self.dtype)
        owner = np.searchsorted(self._ends, flat, side="right")
        for i in np.unique(owner):
            mine = owner == i
            part = self._parts[i]
            rows[mine, : part.shape[1]] = part[flat[mine] - (self._ends[i] - len(part))]
        return rows.reshape(*index.shape, *self.shape[1:])
