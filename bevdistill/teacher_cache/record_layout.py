"""Lay out the taps of a teacher's outputs in the bytes of a record.

Legend: L decoder layers, B samples, Q queries, R bytes of a record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..structures import BEVGrid, BEVOutputs

QUERY_TAPS = ('logits', 'codes', 'references')
"""Kept in float32 whatever the storage type: boxes decide who is paired with whom, and are a hundredth of the bytes."""

OPTIONAL_TAPS = ('bev', 'states', 'heatmap', 'heatmap_features')
"""Taps that a cache may leave out."""

MAPS = ('bev', 'heatmap', 'heatmap_features')
ALIGNMENT = 16
DTYPES = {'float16': torch.float16, 'float32': torch.float32}


@dataclass(frozen=True)
class TapSlice:
    """Position of one tap in a record.

    Args:
        tap: Field of :class:`BEVOutputs`.
        shape: Shape of one sample: (C, H, W) of a map, (L, Q, C) of queries.
        dtype: ``'float16'`` or ``'float32'``.
        start: First byte.
    """

    tap: str
    shape: tuple[int, ...]
    dtype: str
    start: int

    @property
    def stop(self) -> int:
        """Return the byte after the last."""
        return self.start + int(np.prod(self.shape)) * DTYPES[self.dtype].itemsize


@dataclass(frozen=True)
class RecordLayout:
    """Layout of all records of a cache: the taps one after the other, each aligned to 16 bytes.

    Args:
        entries: Positions of the taps.
    """

    entries: tuple[TapSlice, ...]

    @classmethod
    def plan(cls, outputs: BEVOutputs, taps: Sequence[str], dtype: str) -> RecordLayout:
        """Lay out the taps that are kept.

        Args:
            outputs: Outputs of the teacher for any sample.
            taps: Which of :data:`OPTIONAL_TAPS` are kept, beside :data:`QUERY_TAPS`.
            dtype: Storage type of the optional taps.
        """
        entries: list[TapSlice] = []
        for tap in (*QUERY_TAPS, *(tap for tap in OPTIONAL_TAPS if tap in taps)):
            start = _aligned(entries[-1].stop) if entries else 0
            shape = tuple(sample_of(outputs, tap, 0).shape)
            entries.append(TapSlice(tap, shape, 'float32' if tap in QUERY_TAPS else dtype, start))
        return cls(tuple(entries))

    @classmethod
    def from_plain(cls, entries: Sequence[dict[str, Any]]) -> RecordLayout:
        """Invert :meth:`to_plain`.

        Raises:
            ValueError: If an entry is not what :meth:`to_plain` gives, or the taps do not follow one another.
        """
        slices: list[TapSlice] = []
        for place, entry in enumerate(entries):
            if not _is_slice(entry):
                raise ValueError(f'layout.{place}: expected tap, shape, dtype and start, found {repr(entry)[:100]}')
            slices.append(TapSlice(**{**entry, 'shape': tuple(entry['shape'])}))
            start = _aligned(slices[place - 1].stop) if place else 0
            if slices[place].start != start:
                raise ValueError(f'layout.{place}.start: expected {start}, found {slices[place].start}')
        taps = [each.tap for each in slices]
        if tuple(taps[:3]) != QUERY_TAPS or len(set(taps)) < len(taps):
            raise ValueError(f'layout: expected {", ".join(QUERY_TAPS)}, then others, each once, found {taps}')
        return cls(tuple(slices))

    def to_plain(self) -> list[dict[str, Any]]:
        """Return plain data for JSON."""
        return [{**asdict(entry), 'shape': list(entry.shape)} for entry in self.entries]

    @property
    def taps(self) -> tuple[str, ...]:
        """Return the names of the taps that a record holds."""
        return tuple(entry.tap for entry in self.entries)

    @property
    def nbytes(self) -> int:
        """Return the bytes of a record."""
        return _aligned(self.entries[-1].stop)

    def pack(self, outputs: BEVOutputs, index: int) -> NDArray[np.uint8]:
        """Pack one sample of a batch into a record, (R,).

        Raises:
            ValueError: If a value is not finite or does not fit the storage type; names the tap.
        """
        record = np.zeros(self.nbytes, dtype=np.uint8)
        for entry in self.entries:
            value = sample_of(outputs, entry.tap, index).to(DTYPES[entry.dtype])
            assert tuple(value.shape) == entry.shape, (entry, value.shape)
            if not bool(value.isfinite().all()):
                largest = float(sample_of(outputs, entry.tap, index).abs().max())
                raise ValueError(
                    f"the teacher's '{entry.tap}' has values that {entry.dtype} cannot hold (largest: {largest:g})"
                    + ('; store it with --dtype float32' if np.isfinite(largest) else '')
                )
            record[entry.start : entry.stop] = value.contiguous().cpu().view(-1).view(torch.uint8).numpy()
        return record

    def unpack(self, records_BR: Tensor, grid: BEVGrid) -> BEVOutputs:
        """Unpack a batch of records into outputs in float32, on the records' device.

        Maps and states that were not kept have no channels (``(B, 0, H, W)``), a heatmap that was not is None.

        Args:
            records_BR: Records, (B, R) uint8.
            grid: The teacher's grid.
        """
        batch = records_BR.shape[0]
        values: dict[str, Tensor] = {}
        for entry in self.entries:
            flat = records_BR[:, entry.start : entry.stop].view(DTYPES[entry.dtype])
            value = flat.reshape(batch, *entry.shape).float()
            values[entry.tap] = value if entry.tap in MAPS else value.transpose(0, 1)
        if 'bev' not in values:
            values['bev'] = records_BR.new_empty((batch, 0, grid.rows, grid.cols), dtype=torch.float32)
        if 'states' not in values:
            values['states'] = values['logits'][..., :0]
        return BEVOutputs(grid=grid, **values)


def sample_of(outputs: BEVOutputs, tap: str, index: int) -> Tensor:
    """Return one sample of a tap: (C, H, W) of a map, (L, Q, C) of queries."""
    value: Tensor = getattr(outputs, tap)
    return value[index] if tap in MAPS else value[:, index]


def best_queries(outputs: BEVOutputs, count: int) -> BEVOutputs:
    """Keep the queries with the largest class probability in the last layer, best first, in all layers.

    Args:
        outputs: Outputs of Q queries.
        count: How many are kept; all if there are fewer.
    """
    score_BQ = outputs.logits[-1].amax(dim=-1)
    query_BM = score_BQ.topk(min(count, score_BQ.shape[1]), dim=1).indices
    kept = {
        name: value.gather(2, query_BM[None, :, :, None].expand(value.shape[0], -1, -1, value.shape[3]))
        for name in (*QUERY_TAPS, 'states')
        for value in (getattr(outputs, name),)
    }
    return replace(outputs, **kept)


def on_cpu(outputs: BEVOutputs) -> BEVOutputs:
    """Move outputs to the CPU, one copy per tap."""
    return replace(outputs, **{tap: getattr(outputs, tap).cpu() for tap in outputs.taps()})


def _is_slice(entry: Any) -> bool:
    """Tell whether an entry of plain data is that of a slice."""
    if not isinstance(entry, dict) or entry.keys() != {'tap', 'shape', 'dtype', 'start'}:
        return False
    known = entry['tap'] in (*QUERY_TAPS, *OPTIONAL_TAPS) and entry['dtype'] in [*DTYPES]
    shape = entry['shape'] if isinstance(entry['shape'], list) else [None]
    sized = len(shape) == 3 and all(type(size) is int and 0 <= size < 2**20 for size in shape)
    return known and sized and type(entry['start']) is int


def _aligned(place: int) -> int:
    return -(-place // ALIGNMENT) * ALIGNMENT
