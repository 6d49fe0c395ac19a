"""What the encoder needs to know about the frames of a batch beside their images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmdet3d.structures import Det3DDataSample
from numpy.typing import NDArray
from torch import Tensor

from ...structures.ego_state import CAN_BUS_SIZE, POSITION, YAW_DEGREES

if TYPE_CHECKING:
    from .projection import CameraHits


@dataclass(frozen=True)
class Frames:
    """Calibration and vehicle state of one frame per sample.

    Args:
        lidar2img: (B, N, 4, 4) float32, LiDAR frame in metres to pixels; rows 0 and 1 are divided by row 2.
        can_bus: (B, 18) float32, the vehicle's state, see :mod:`bevdistill.structures.ego_state`.
        image_size: (height, width) in pixels that the feature maps span, padding included.
        hits: Which BEV queries the cameras see, where it is known already; otherwise the encoder finds out.
    """

    lidar2img: Tensor
    can_bus: Tensor
    image_size: tuple[int, int]
    hits: CameraHits | None = None

    @classmethod
    def from_samples(
        cls, samples: Sequence[Det3DDataSample], device: torch.device | str | None = None, index: int = -1
    ) -> Frames:
        """Collect one queue entry of every sample.

        Args:
            samples: With ``lidar2img`` (T, N, 4, 4), ``can_bus`` (T, 18) and ``batch_input_shape`` in their metainfo.
            device: Where the tensors go.
            index: Queue entry; the last one is the current frame.

        Raises:
            KeyError: If a field is missing; names it and the sample.
            ValueError: If a field has another shape.
        """
        lidar2img = np.stack([_field(sample, 'lidar2img', (4, 4))[index] for sample in samples])
        can_bus = np.stack([_field(sample, 'can_bus', (CAN_BUS_SIZE,))[index] for sample in samples])
        height, width = meta(samples[0], 'batch_input_shape')
        return cls(
            torch.from_numpy(lidar2img.astype(np.float32)).to(device, non_blocking=True),
            torch.from_numpy(can_bus.astype(np.float32)).to(device, non_blocking=True),
            (int(height), int(width)),
        )

    def without_motion(self, first_B: Tensor | None = None) -> Frames:
        """The same frames as the first of their sequence: no motion and no turn since the previous one.

        Args:
            first_B: Which samples, (B,) bool; None: all.
        """
        can_bus = self.can_bus.clone()
        can_bus[:, POSITION] = 0
        can_bus[:, YAW_DEGREES] = 0
        if first_B is not None:
            can_bus = torch.where(first_B[:, None], can_bus, self.can_bus)
        return replace(self, can_bus=can_bus)


def queue_flags(samples: Sequence[Det3DDataSample], length: int) -> NDArray[np.bool_]:
    """Which entries of the samples' queues continue the entry before.

    Args:
        samples: With ``history_exists`` (T,) in their metainfo.
        length: T, the number of frames that the images hold.

    Returns:
        (B, T).

    Raises:
        ValueError: If a queue's flags, calibrations or vehicle states are not `length` many.
    """
    for sample in samples:
        for name in ('history_exists', 'lidar2img', 'can_bus'):
            entries = len(np.atleast_1d(meta(sample, name)))
            if entries != length:
                raise ValueError(
                    f"sample {sample.metainfo.get('token', '?')}: the images hold a queue of {length} frames, "
                    f"'{name}' one of {entries}"
                )
    return np.stack([np.asarray(meta(sample, 'history_exists'), dtype=bool) for sample in samples])


def meta(sample: Det3DDataSample, name: str) -> Any:
    """One entry of a sample's metainfo."""
    if name not in sample.metainfo:
        raise KeyError(
            f"sample {sample.metainfo.get('token', '?')} has no '{name}' in its metainfo; "
            'the packing transform or the data preprocessor must put it there'
        )
    return sample.metainfo[name]


def _field(sample: Det3DDataSample, name: str, tail: tuple[int, ...]) -> NDArray[np.floating[Any]]:
    """One entry of a sample's metainfo as an array (T, ..., *tail)."""
    value = np.asarray(meta(sample, name))
    if value.ndim < 1 + len(tail) or value.shape[-len(tail) :] != tail:
        raise ValueError(
            f"sample {sample.metainfo.get('token', '?')}: '{name}' must be (queue, ..., {str(tail)[1:]}, "
            f'got {value.shape}'
        )
    return value
