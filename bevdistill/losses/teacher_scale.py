"""Scale teacher features to unit variance before imitation."""

from __future__ import annotations

from typing import Literal

import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..distributed.reductions import sum_over_ranks


@MODELS.register_module()
class TeacherScale(nn.Module):
    """Divide features by the teacher's standard deviation, measured while training.

    The teacher's map is the output of a ReLU, the student's that of a normalisation, and a squared error takes its
    size from the teacher's magnitude, which differs between teachers. Two modes:

    * ``'global'``: both maps are divided by one number, the standard deviation of all teacher features. The error
      becomes a fraction of the teacher's variance; the student still has to reach the teacher's own scale, as it must
      when it reads its map with a head taken from the teacher.
    * ``'channel'``: the teacher's map is standardised per channel, ``(t - mean_c) / std_c``; the student's is left as
      it is and never sees the teacher's scale.

    The teacher is frozen, so that its statistics are constants: they are averaged over the samples of all ranks and
    over all training steps so far (no momentum to choose) and kept in the checkpoint. In eval mode they do not move.

    Args:
        mode: See above.
        channels: Channels of the teacher's map, for ``'channel'``.

    Raises:
        ValueError: If `mode` is unknown, or ``'channel'`` comes without `channels`.
    """

    mean: Tensor
    square: Tensor
    steps: Tensor

    def __init__(self, mode: Literal['global', 'channel'] = 'global', channels: int | None = None) -> None:
        super().__init__()
        if mode not in ('global', 'channel'):
            raise ValueError(f"TeacherScale mode must be 'global' or 'channel', got '{mode}'")
        if mode == 'channel' and channels is None:
            raise ValueError("TeacherScale mode 'channel' needs channels=<channels of the teacher's map>")
        self.mode = mode
        size = channels if mode == 'channel' and channels is not None else 1
        self.register_buffer('mean', torch.zeros(size))
        self.register_buffer('square', torch.zeros(size))
        self.register_buffer('steps', torch.zeros((), dtype=torch.long))

    def forward(self, student_map: Tensor, teacher_map: Tensor) -> tuple[Tensor, Tensor]:
        """Scale a pair of maps, each (B, C, H, W)."""
        self._measure(teacher_map)
        std = (self.square - self.mean.square()).clamp(min=1e-6).sqrt()
        if self.mode == 'global':
            return student_map / std, teacher_map / std
        return student_map, (teacher_map - self.mean[:, None, None]) / std[:, None, None]

    @torch.no_grad()
    def _measure(self, teacher_map: Tensor) -> None:
        """Update the running moments with a batch; the very first one also in eval mode."""
        if not self.training and int(self.steps) > 0:
            return
        axes = (2, 3) if self.mode == 'channel' else (1, 2, 3)
        values = teacher_map.float()
        per_sample = torch.stack((values.mean(dim=axes), values.square().mean(dim=axes)), dim=1)
        samples = sum_over_ranks(values.new_full((), len(values)))
        moments = sum_over_ranks(per_sample.view(len(values), 2, -1).sum(dim=0)) / samples
        if moments.shape[1] != len(self.mean):
            raise ValueError(
                f'TeacherScale was built for {len(self.mean)} channels but the teacher map has {moments.shape[1]}'
            )
        self.steps += 1
        self.mean += (moments[0] - self.mean) / self.steps
        self.square += (moments[1] - self.square) / self.steps
