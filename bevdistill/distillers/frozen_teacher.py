"""Wrap a trained detector so that it cannot be trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, Literal, Self

import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from mmengine.logging import print_log
from torch import Tensor, nn

from ..structures import BEVGrid, BEVOutputs
from .taps import offered_taps
from .teacher_checkpoint import TeacherCheckpoint

Precision = Literal['float32', 'follow']


class FrozenTeacher(nn.Module):
    """A detector with trained weights, for inference only.

    It is always in eval mode (also under ``train()``, so that batch norms never move), has no gradient, and loads its
    weights on first use: before the first training step, and never when a distiller is only tested. The distiller that
    owns it keeps it out of its modules, so that it is in no ``state_dict``, optimizer or DDP bucket. Copies of a
    distiller, such as the averaged one of mmengine's ``EMAHook``, share it: moving one of them to another device moves
    the teacher of all.

    Args:
        detector: A built detector with ``forward_outputs``.
        checkpoint: Where its weights are, and what they must agree with.
        precision: ``'float32'`` runs it in float32 with autocast off; ``'follow'`` under the student's autocast.

    Raises:
        ValueError: If `precision` is unknown.
    """

    def __init__(
        self, detector: nn.Module, checkpoint: TeacherCheckpoint, precision: Precision = 'float32'
    ) -> None:
        super().__init__()
        if precision not in ('float32', 'follow'):
            raise ValueError(f"teacher_precision must be 'float32' or 'follow', got '{precision}'")
        self.detector: Any = detector.requires_grad_(False)
        self.checkpoint = checkpoint
        self.precision = precision
        self.loaded = False
        self.train(False)

    @property
    def grid(self) -> BEVGrid:
        """Return the grid of the teacher's BEV map."""
        return self.detector.grid

    @property
    def num_classes(self) -> int:
        """Return the number of the teacher's classes."""
        return self.detector.num_classes

    @property
    def taps(self) -> tuple[str, ...]:
        """Return the taps that the teacher offers."""
        return offered_taps(self.detector)

    @property
    def identity(self) -> dict[str, str]:
        """Return path and SHA-256 of the weights, empty while they are not loaded."""
        return {'path': str(self.checkpoint.path), 'sha256': self.checkpoint.digest()} if self.loaded else {}

    def ensure_loaded(self) -> None:
        """Load the weights, once.

        Raises:
            FileNotFoundError: If the checkpoint does not exist.
            ValueError: If it does not fit, see :meth:`~.teacher_checkpoint.TeacherCheckpoint.load_into`.
        """
        if self.loaded:
            return
        self.checkpoint.load_into(self.detector)
        self.loaded = True
        print_log(f'teacher: {self.checkpoint.path} (sha256 {self.identity["sha256"]})', logger='current')

    def with_weights(self) -> Any:
        """Return the detector with its weights, which a student may start from."""
        self.ensure_loaded()
        return self.detector

    def train(self, mode: bool = True) -> Self:
        """Stay in eval mode; it has no training mode."""
        # Not eval(): backbones of mmdet return nothing from it, and a parent's eval() calls train() anyway.
        return super().train(False)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the teacher itself: it never changes, so copies share it."""
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        if self.precision == 'float32':
            # Casting the distiller to half precision leaves the teacher in float32.
            super()._apply(lambda tensor: tensor.float() if tensor.is_floating_point() else tensor, recurse)
        return self

    @torch.no_grad()
    def forward(self, inputs: dict[str, Any], samples: list[Det3DDataSample]) -> BEVOutputs:
        """Run the detector.

        Args:
            inputs: Preprocessed inputs with what the teacher reads, such as ``points`` and ``voxels``.
            samples: Data samples of the batch.

        Returns:
            Outputs in float32 without gradient.
        """
        self.ensure_loaded()
        if self.precision == 'follow':
            return as_float32(self.detector.forward_outputs(inputs, samples))
        device = next(self.detector.parameters()).device.type
        with torch.autocast(device, enabled=False):
            return as_float32(self.detector.forward_outputs(inputs, samples))


def as_float32(outputs: BEVOutputs) -> BEVOutputs:
    """Cast outputs to float32; gradients pass."""
    values = {field.name: getattr(outputs, field.name) for field in fields(outputs)}
    changes: dict[str, Any] = {name: value.float() for name, value in values.items() if isinstance(value, Tensor)}
    return replace(outputs, **changes)


def make_teacher(
    config: Mapping[str, Any],
    checkpoint: TeacherCheckpoint,
    precision: Precision,
    cache: str | None = None,
    preprocessor: Any = None,
) -> FrozenTeacher:
    """Build a live teacher, or one that reads a cache.

    Args:
        config: Config of the detector.
        checkpoint: Where its weights are.
        precision: Of a live teacher.
        cache: Folder of the cache, None for a live teacher.
        preprocessor: The distiller's data preprocessor, a config or a module.

    Raises:
        ValueError: If a cached teacher is asked for a precision: it was computed in float32.
    """
    if cache is None:
        return FrozenTeacher(MODELS.build(config), checkpoint, precision)
    if precision != 'float32':
        raise ValueError(
            f"teacher_precision='{precision}' has no effect with teacher_cache: the cache was computed in float32"
        )
    known = preprocessor if isinstance(preprocessor, Mapping) else None
    return MODELS.build(
        dict(
            type='CachedTeacher', detector=MODELS.build(config), checkpoint=checkpoint, cache=cache, config=config,
            preprocessor=known,
        )
    )  # fmt: skip
