"""Read a teacher's outputs from a cache, behind the interface of a live teacher."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from mmengine.logging import print_log
from torch import Tensor, nn

from ..distillers.frozen_teacher import FrozenTeacher
from ..distillers.teacher_checkpoint import TeacherCheckpoint
from ..for_people import counted
from ..structures import BEVOutputs
from .key import CacheKey
from .record_layout import OPTIONAL_TAPS
from .storage import TeacherCache
from .transform import RECORD


@MODELS.register_module()
class CachedTeacher(FrozenTeacher):
    """A frozen teacher that returns the outputs that ``tools/cache_teacher.py`` has written.

    The records of a batch come with its data samples (:class:`~.transform.LoadTeacherOutputs`): workers of the data
    loader read them, and no points are needed.

    The detector is built for its grid, classes and taps, stays on the CPU and never runs. Its weights are read only if
    a student starts from them (``init_from_teacher``). The checkpoint file is needed in any case: its SHA-256 is
    compared with the cache's before the first step.

    Args:
        detector: A built detector with ``forward_outputs``.
        checkpoint: Where its weights are, and what they must agree with.
        cache: Folder of the cache; it may be missing while a distiller is only tested.
        config: Config of the detector, compared with the cache's.
        preprocessor: Config of the distiller's data preprocessor, None if not known; its voxels are compared.
    """

    def __init__(
        self,
        detector: nn.Module,
        checkpoint: TeacherCheckpoint,
        cache: str | Path,
        config: Mapping[str, Any],
        preprocessor: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detector, checkpoint)
        self.cache = TeacherCache(cache)
        self.key = CacheKey.of(teacher=config, preprocessor=preprocessor)

    @property
    def taps(self) -> tuple[str, ...]:
        """List the detector's taps that the cache holds; all of them while there is no cache."""
        offered = super().taps
        if not self.cache.exists:
            return offered
        # Records always have logits and codes, empty ones if the detector has no queries.
        return tuple(tap for tap in self.cache.manifest.layout.taps if tap in offered)

    @property
    def queries(self) -> int | None:
        """Return how many of the best queries the cache holds, None for all."""
        if not self.cache.exists:
            return None
        manifest = self.cache.manifest
        return None if manifest.queries == manifest.all_queries else manifest.queries

    @property
    def advice(self) -> str:
        """Advise on taps or queries that the cache lacks."""
        if not self.cache.exists:
            return ''
        offered = ' '.join(tap for tap in super().taps if tap in OPTIONAL_TAPS)
        return (
            f'The teacher is read from the cache {self.cache.folder}, made by\n  {self.cache.manifest.command}\n'
            f'Make another one in another folder, with more of --taps (this teacher offers {offered}) or --top-k'
        )

    def ensure_loaded(self) -> None:
        """Open the cache and check that it belongs to this teacher.

        Raises:
            FileNotFoundError: If the cache or the checkpoint does not exist.
            ValueError: If the cache is not complete, or of another teacher; both sides named.
        """
        if self.loaded:
            return
        manifest = self.cache.manifest
        self.cache.check(CacheKey(self.checkpoint.digest(), self.key.model, self.key.voxels))
        self.checkpoint.saved_class_names = manifest.teacher['classes']
        if self.checkpoint.class_names is not None:
            self.checkpoint.check_data(self.checkpoint.class_names, 'class_names in the config')
        self.loaded = True
        print_log(
            f'teacher: {counted(manifest.num_samples, "cached sample")} in {self.cache.folder}, of '
            f'{self.checkpoint.path} (sha256 {self.identity["sha256"]})',
            logger='current',
        )

    def with_weights(self) -> Any:
        """Return the detector with its weights, read from the checkpoint."""
        self.checkpoint.load_into(self.detector)
        return self.detector

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        return self

    @torch.no_grad()
    def forward(self, inputs: dict[str, Any], samples: list[Det3DDataSample]) -> BEVOutputs:
        """Unpack the records of a batch.

        Args:
            inputs: Not used.
            samples: Data samples with a record.

        Returns:
            Outputs in float32 without gradient, on the records' device.

        Raises:
            ValueError: If a sample comes without a record.
        """
        self.ensure_loaded()
        without = [sample.get('token', '(no token)') for sample in samples if RECORD not in sample]
        if without:
            raise ValueError(
                f'model.teacher_cache is set, but sample {without[0]} comes without outputs of the teacher. '
                'tools/train.py adds the transform that reads them; elsewhere end the training pipeline with '
                f"dict(type='LoadTeacherOutputs', folder='{self.cache.folder}')"
            )
        records = torch.stack([getattr(sample, RECORD) for sample in samples])
        return self.cache.manifest.layout.unpack(records, self.grid)
