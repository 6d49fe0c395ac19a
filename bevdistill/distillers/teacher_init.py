"""Initialise a student's head from its teacher's."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from ..checkpoints import WeightFit
from ..structures import strict_from_dict

HEAD = 'pts_bbox_head.'
REFERENCES = HEAD + 'transformer.reference_points.weight'
PARTS: dict[str, tuple[str, ...]] = {
    'decoder': (HEAD + 'transformer.decoder.',),
    'branches': (HEAD + 'cls_branches.', HEAD + 'reg_branches.'),
    'queries': (HEAD + 'query_embedding.', HEAD + 'transformer.reference_points.'),
    'heatmap': (HEAD + 'shared_conv.', HEAD + 'task_heads.'),
}


class TeacherInit:
    """Copy parts of the teacher's head into the student before training.

    A switch of its own, not part of any distillation method: in small studies most of a gain came from it.

    Args:
        decoder: Decoder layers.
        branches: Classification and regression branches of all layers.
        queries: Query embedding and the layer that makes the first reference points from it.
        heatmap: Auxiliary heatmap layers.
        partial: Copy what fits and log the rest; otherwise anything that does not fit is an error.
    """

    def __init__(
        self,
        decoder: bool = False,
        branches: bool = False,
        queries: bool = False,
        heatmap: bool = False,
        partial: bool = False,
    ) -> None:
        switches = dict(decoder=decoder, branches=branches, queries=queries, heatmap=heatmap)
        self.parts = [part for part, wanted in switches.items() if wanted]
        self.partial = partial

    @classmethod
    def from_config(cls, config: bool | dict[str, Any]) -> TeacherInit:
        """Build from ``False`` (nothing), ``True`` (everything) or a dict of switches.

        Raises:
            ValueError: If a switch is unknown.
        """
        switches = dict.fromkeys(PARTS, config) if isinstance(config, bool) else config
        return strict_from_dict(cls, switches, 'init_from_teacher')

    @torch.no_grad()
    def apply(self, student: nn.Module, teacher: nn.Module) -> list[str]:
        """Copy weights and buffers.

        Args:
            student: Detector that receives.
            teacher: Detector that gives, loaded.

        Returns:
            Names that were copied.

        Raises:
            ValueError: If something does not fit and `partial` is off; names and shapes of all of it.
        """
        if not self.parts:
            return []
        prefixes = tuple(prefix for part in self.parts for prefix in PARTS[part])
        own, given = (
            {name: value for name, value in model.state_dict().items() if name.startswith(prefixes)}
            for model in (student, teacher)
        )
        fit = WeightFit.of_states(given, own)
        gaps = fit.lines('the student', 'the teacher', count=len(own) + len(given))
        meaning = [*_meaning_gaps(student, teacher), *self._empty_parts([*own, *given])]
        if meaning or (gaps and not self.partial):
            raise ValueError(
                f'init_from_teacher ({", ".join(self.parts)}) does not fit:\n  '
                + '\n  '.join([*meaning, *gaps])
                + '\nMake the heads equal, switch parts off, or set partial=True to copy what fits'
            )
        copied = [name for name in own if name in given and name not in fit.shapes]
        for name in copied:
            own[name].copy_(given[name])
        lines = [f'init_from_teacher ({", ".join(self.parts)}): copied {len(copied)} tensors', *gaps]
        print_log('\n  left out: '.join(lines), logger='current')
        return copied

    def _empty_parts(self, names: list[str]) -> list[str]:
        """Find parts that are switched on to no effect: neither side has them."""
        return [
            f'{part}: neither side has weights named {" or ".join(prefix + "*" for prefix in PARTS[part])}'
            for part in self.parts
            if not any(name.startswith(PARTS[part]) for name in names)
        ]


def _meaning_gaps(student: Any, teacher: Any) -> list[str]:
    """Find weights of equal shape that mean different things on both sides."""
    gaps = []
    if student.grid.point_cloud_range != teacher.grid.point_cloud_range:
        gaps.append(
            f'the student covers {student.grid.point_cloud_range}, the teacher {teacher.grid.point_cloud_range}: '
            'normalised coordinates mean different places'
        )
    own, given = (_reference_coordinates(model) for model in (student, teacher))
    if own is not None and given is not None and own != given:
        gaps.append(
            f'the student has {own} reference coordinates, the teacher {given}: their branches predict height in '
            'different units'
        )
    return gaps


def _reference_coordinates(detector: nn.Module) -> int | None:
    weight: Tensor | None = detector.state_dict().get(REFERENCES)
    return None if weight is None else len(weight)
