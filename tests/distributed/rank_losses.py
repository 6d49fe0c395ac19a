"""Every loss with made-up outputs, whole or cut into the parts of ranks."""

from __future__ import annotations

import runpy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from bevdistill.structures import BEVGrid, BEVOutputs, Targets, encode_boxes

GRID = BEVGrid((-8.0, -6.0, -5.0, 8.0, 6.0, 3.0), 6, 8)
LAYERS, QUERIES, CLASSES, STUDENT_CHANNELS, TEACHER_CHANNELS = 2, 9, 3, 4, 5
LEARNT = ('bev', 'states', 'logits', 'codes', 'heatmap', 'heatmap_features')
BATCH_FIRST = ('bev', 'heatmap', 'heatmap_features')


@dataclass(frozen=True)
class Batch:
    """Objects of each sample, samples of each rank, and samples of which the teacher is sure of nothing."""

    boxes: tuple[int, ...]
    ranks: tuple[int, int] = (1, 1)
    unsure: tuple[int, ...] = ()

    def rows(self, rank: int | None) -> slice:
        """Samples of a rank, or all."""
        if rank is None:
            return slice(None)
        return slice(0, self.ranks[0]) if rank == 0 else slice(self.ranks[0], None)


BATCHES = dict(
    even=Batch((4, 3)),
    # Fewer objects than ranks; the second rank has no ground truth, no foreground and no teacher box.
    one_rank_empty=Batch((1, 0), unsure=(1,)),
    all_empty=Batch((0, 0), unsure=(0, 1)),
    uneven=Batch((4, 0, 2), ranks=(2, 1), unsure=(2,)),
)

SOFT = dict(type='SoftForeground')
MASKS = dict(
    all=dict(type='AllCells'),
    hard=dict(type='HardForeground'),
    soft=SOFT,
    soft_constant=dict(type='SoftForeground', sigma=1.5),
    predicted=dict(type='PredictedForeground'),
    predicted_by_teacher=dict(type='PredictedForeground', source='teacher'),
    predicted_released=dict(type='PredictedForeground', released_gradient=True, released_double_sigmoid=True),
    queries=dict(type='QuerySampledForeground'),
    queries_last=dict(type='QuerySampledForeground', layers='last'),
)
PAIRINGS = dict(
    teacher=dict(type='TeacherBoxPairing', max_boxes=5, score_threshold=0.6), truth=dict(type='GroundTruthPairing')
)
QUALITIES = dict(
    uniform=dict(type='UniformQuality'),
    score=dict(type='ScoreQuality'),
    score_count=dict(type='ScoreQuality', normaliser='count'),
    score_squared=dict(type='ScoreQuality', released_squared=True),
    score_iou=dict(type='ScoreIoUQuality'),
    score_iou_bev=dict(type='ScoreIoUQuality', iou='bev', normaliser='weight', gamma=0.3),
)


def critics(**options: Any) -> dict[str, Any]:
    channels = dict(student_critic=STUDENT_CHANNELS, teacher_critic=TEACHER_CHANNELS)
    return {side: dict(type='MLPCritic', in_channels=size, channels=6, **options) for side, size in channels.items()}


TERMS: dict[str, dict[str, Any]] = dict(
    box=dict(type='BoxCodeTerm', layers='all'),
    cls=dict(type='SoftClassTerm', temperature=2.0, subtract_entropy=True),
    cls_unweighted=dict(type='SoftClassTerm', weighted=False, layers='all'),
    cls_background=dict(type='SoftClassTerm', unmatched='background'),
    cls_released=dict(type='SoftClassTerm', released_unmatched=True),
    state_l1=dict(
        type='StateL1Term',
        adapter=dict(type='LinearAdapter', student_channels=STUDENT_CHANNELS, teacher_channels=TEACHER_CHANNELS),
    ),
    contrast=dict(type='StateContrastTerm', layers='all', anchor='both', **critics()),
    contrast_batch=dict(type='StateContrastTerm', layers='all', anchor='both', negatives='batch', **critics()),
)


def dense(**options: Any) -> dict[str, Any]:
    adapter = dict(type='ConvAdapter', student_channels=STUDENT_CHANNELS, teacher_channels=TEACHER_CHANNELS)
    return dict(type='DenseBEVLoss', adapter=adapter) | options


def instance(**options: Any) -> dict[str, Any]:
    return dict(type='InstanceDistillLoss', pairing=PAIRINGS['teacher'], quality=QUALITIES['score']) | options


def loss_configs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and config of every loss with all its options that decide how samples are combined."""
    yield 'detection set', dict(type='SetLoss')
    yield 'aux heatmap', dict(type='HeatmapLoss')
    for mask, config in MASKS.items():
        for normaliser, channels in (('mask', 'mean'), ('cells', 'sum')):
            yield f'dense {mask} {normaliser}', dense(mask=config, normaliser=normaliser, channels=channels)
    yield 'dense features', dense(mask=SOFT, tap='heatmap_features')
    yield 'dense scale global', dense(mask=SOFT, teacher_scale=dict(type='TeacherScale'))
    scale = dict(type='TeacherScale', mode='channel', channels=TEACHER_CHANNELS)
    yield 'dense scale channel', dense(mask=SOFT, teacher_scale=scale)
    for mask in ('all', 'soft', 'predicted'):
        yield f'heatmap response {mask}', dict(type='HeatmapDistillLoss', mask=MASKS[mask])
    for name, term in TERMS.items():
        for pairing, pairs in PAIRINGS.items():
            yield f'instance {name} {pairing}', instance(pairing=pairs, terms={name: term})
    for pairing, pairs in PAIRINGS.items():
        for quality, worth in QUALITIES.items():
            for average in ('batch', 'sample'):
                terms = {name: TERMS[name] for name in ('box', 'cls_background')}
                config = instance(pairing=pairs, quality=worth, average=average, terms=terms)
                yield f'instance {pairing} {quality} {average}', config
    for negatives in ('sample', 'batch'):
        for norm in ('BN', 'LN'):
            contrast = dict(type='BEVContrastLoss', anchor='both', negatives=negatives)
            yield f'BEV contrast {negatives} {norm}', contrast | critics(norm=norm, projections=1)
    yield from losses_of_projects()


def losses_of_projects() -> Iterator[tuple[str, dict[str, Any]]]:
    """What ``tests/projects/<name>/rank_cases.py`` asks for, of the projects that are there."""
    for file in sorted((Path(__file__).resolve().parents[1] / 'projects').glob('*/rank_cases.py')):
        yield from runpy.run_path(str(file))['CASES'].items()


def boxes_of(count: int, generator: torch.Generator) -> Tensor:
    low = torch.tensor([-7.5, -5.5, -1.0, 1.5, 0.8, 1.0, -3.0, -2.0, -2.0])
    high = torch.tensor([7.5, 5.5, 1.0, 5.0, 2.5, 2.0, 3.0, 2.0, 2.0])
    return low + torch.rand(count, 9, generator=generator) * (high - low)


@cache
def sample_outputs(seed: int, channels: int) -> BEVOutputs:
    """Outputs for one sample, a batch of one; :func:`joined` copies them."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    size = (GRID.rows, GRID.cols)
    return BEVOutputs(
        grid=GRID,
        bev=normal(1, channels, *size),
        states=normal(LAYERS, 1, QUERIES, channels),
        logits=normal(LAYERS, 1, QUERIES, CLASSES),
        codes=encode_boxes(boxes_of(LAYERS * QUERIES, generator).view(LAYERS, 1, QUERIES, 9)),
        references=torch.rand(LAYERS, 1, QUERIES, 3, generator=generator),
        heatmap=normal(1, CLASSES, *size),
        heatmap_features=normal(1, channels, *size),
    )


def joined(parts: Sequence[BEVOutputs]) -> BEVOutputs:
    """One batch of several samples."""
    values = {}
    for field in fields(BEVOutputs):
        if field.name != 'grid':
            dim = 0 if field.name in BATCH_FIRST else 1
            values[field.name] = torch.cat([getattr(part, field.name) for part in parts], dim=dim)
    return BEVOutputs(grid=GRID, **values)


def made_up(batch: Batch, rank: int | None) -> tuple[BEVOutputs, BEVOutputs, Targets]:
    """Student, teacher and targets of a rank, or of all."""
    samples = range(len(batch.boxes))[batch.rows(rank)]
    teachers = []
    for index in samples:
        outputs = sample_outputs(100 + index, TEACHER_CHANNELS)
        faint = replace(outputs, logits=outputs.logits - 20.0)
        teachers.append(faint if index in batch.unsure else outputs)
    boxes, labels = [], []
    for index in samples:
        generator = torch.Generator().manual_seed(200 + index)
        boxes.append(boxes_of(batch.boxes[index], generator))
        labels.append(torch.randint(CLASSES, (batch.boxes[index],), generator=generator))
    student = joined([sample_outputs(index, STUDENT_CHANNELS) for index in samples])
    learnt = {name: getattr(student, name).requires_grad_() for name in LEARNT}
    return replace(student, **learnt), joined(teachers), Targets(tuple(boxes), tuple(labels))


def call(loss: nn.Module, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
    """Terms of any of the losses."""
    kind = type(loss).__name__
    if kind == 'SetLoss':
        return loss(student, targets)
    if kind == 'HeatmapLoss':
        return dict(loss=loss(student.heatmap, targets, GRID))
    return {name: value for name, value in loss(student, teacher, targets).items() if 'loss' in name}


def step(config: dict[str, Any], batch: Batch, rank: int | None) -> dict[str, Tensor]:
    """Losses, gradients of the student's outputs and of the loss's own parameters, and its running statistics."""
    torch.manual_seed(7)
    loss = MODELS.build(config)
    student, teacher, targets = made_up(batch, rank)
    terms = call(loss, student, teacher, targets)
    torch.stack([term.sum() for term in terms.values()]).sum().backward()
    result = {f'loss {name}': value.detach() for name, value in terms.items()}
    for name in LEARNT:
        gradient = getattr(student, name).grad
        if gradient is not None:
            result[f'd {name}'] = gradient
    for name, parameter in loss.named_parameters():
        assert parameter.grad is not None, name
        result[f'd {name}'] = parameter.grad
    for name, buffer in loss.named_buffers():
        if 'teacher_scale' in name:
            result[name] = buffer.clone().float()
    return result


def together(name: str, parts: Sequence[Tensor]) -> Tensor:
    """What DDP makes of the ranks' results: the mean, and for outputs, which each rank has its own of, all of them."""
    field = name.removeprefix('d ')
    if name.startswith('d ') and field in LEARNT:
        return torch.cat(list(parts), dim=0 if field in BATCH_FIRST else 1) / len(parts)
    return torch.stack(list(parts)).mean(dim=0)
