"""Start a student's head from its teacher's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

HEAD = 'pts_bbox_head.'
REFERENCES = HEAD + 'transformer.reference_points.weight'
PARTS: dict[str, tuple[str, ...]] = {
    'decoder': (HEAD + 'transformer.decoder.',),
    'branches': (HEAD + 'cls_branches.', HEAD + 'reg_branches.'),
    'queries': (HEAD + 'query_embedding.', HEAD + 'transformer.reference_points.'),
    'heatmap': (HEAD + 'shared_conv.', HEAD + 'task_heads.'),
}


class Inheritance:
    """Which parts of the teacher's head the student starts from.

    A switch of its own, not part of any distillation method: studies at small scale saw most of a gain come from it.

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
    def from_config(cls, config: bool | dict[str, Any]) -> Inheritance:
        """Build from ``False`` (nothing), ``True`` (everything) or a dict of switches.

        Raises:
            ValueError: If a switch is unknown.
        """
        if isinstance(config, bool):
            return cls(**dict.fromkeys(PARTS, config))
        unknown = sorted(set(config) - {*PARTS, 'partial'})
        if unknown:
            raise ValueError(f"unknown part {unknown} in init_from_teacher; known are {[*PARTS, 'partial']}")
        return cls(**config)

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
        own, given = student.state_dict(), teacher.state_dict()
        prefixes = tuple(prefix for part in self.parts for prefix in PARTS[part])
        names = [name for name in dict.fromkeys([*own, *given]) if name.startswith(prefixes)]
        gaps = {name: gap for name in names if (gap := _gap(name, own, given)) is not None}
        meaning = [*_meaning_gaps(student, teacher, own, given), *self._empty_parts(own, given)]
        if meaning or (gaps and not self.partial):
            lines = meaning + [f'{name}: {gap}' for name, gap in gaps.items()]
            raise ValueError(
                f'init_from_teacher ({", ".join(self.parts)}) does not fit:\n  '
                + '\n  '.join(lines)
                + '\nMake the heads equal, switch parts off, or set partial=True to copy what fits'
            )
        copied = [name for name in names if name not in gaps]
        for name in copied:
            own[name].copy_(given[name])
        _report(self.parts, copied, gaps)
        return copied

    def _empty_parts(self, own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
        """A part that neither side has would be switched on to no effect."""
        return [
            f'{part}: neither side has weights named {" or ".join(prefix + "*" for prefix in PARTS[part])}'
            for part in self.parts
            if not any(name.startswith(PARTS[part]) for name in [*own, *given])
        ]


def _gap(name: str, own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str | None:
    if name not in given:
        return f'student {tuple(own[name].shape)}, missing in the teacher'
    if name not in own:
        return f'teacher {tuple(given[name].shape)}, missing in the student'
    if own[name].shape != given[name].shape:
        return f'student {tuple(own[name].shape)}, teacher {tuple(given[name].shape)}'
    return None


def _meaning_gaps(
    student: Any, teacher: Any, own: Mapping[str, Tensor], given: Mapping[str, Tensor]
) -> list[str]:
    """Weights of equal shape that mean different things on both sides."""
    gaps = []
    if student.grid.point_cloud_range != teacher.grid.point_cloud_range:
        gaps.append(
            f'the student covers {student.grid.point_cloud_range}, the teacher {teacher.grid.point_cloud_range}: '
            'normalised coordinates mean different places'
        )
    if REFERENCES in own and REFERENCES in given and own[REFERENCES].shape[0] != given[REFERENCES].shape[0]:
        gaps.append(
            f'the student has {own[REFERENCES].shape[0]} reference coordinates, the teacher '
            f'{given[REFERENCES].shape[0]}: their branches predict height in different units'
        )
    return gaps


def _report(parts: list[str], copied: list[str], gaps: dict[str, str]) -> None:
    print_log(f'init_from_teacher ({", ".join(parts)}): copied {len(copied)} tensors', logger='current')
    if gaps:
        lines = '\n  '.join(f'{name}: {gap}' for name, gap in gaps.items())
        print_log(f'init_from_teacher left out {len(gaps)} tensors:\n  {lines}', logger='current')
