"""Describe a config without data: sides, parameters, taps, losses, weights and schedules as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any

from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from ..distillers import BEVDistiller, offered_taps
from ..distillers.schedule import WeightSchedule
from ..for_people import config_explained
from .flops import count_flops
from .made_up_sensors import MadeUpSensors

SPLIT = ('pts_bbox_head', 'pts_bbox_head.transformer')
"""Modules whose parts are shown one by one."""


def describe(
    cfg: Config, image_size: tuple[int, int], flops: bool = True, before_flops: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Collect the facts about a config.

    Args:
        cfg: The config of a student, a teacher or a distiller.
        image_size: Height and width of the images on disk.
        flops: Count FLOPs, which runs each side once.
        before_flops: Called with the name of each side before its FLOPs are counted, which may take a minute.

    Returns:
        Plain values, fit for JSON: ``model`` (type), ``sides`` (a dict per side), ``losses`` (of distillation) and, for
        a distiller, ``init_from_teacher`` and ``teacher_checkpoint``.

    Raises:
        ValueError: If the config's parts do not fit each other.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet3d'))
    config = cfg.model.to_dict()
    with config_explained('model'):
        model = MODELS.build(config)
    is_distiller = config['type'] == BEVDistiller.__name__
    detectors = {'student': model.student, 'teacher': model.teacher.detector} if is_distiller else {'model': model}
    facts: dict[str, Any] = {'model': config['type'], 'sides': {}, 'losses': []}
    for side, detector in detectors.items():
        facts['sides'][side] = describe_side(detector)
        if flops:
            sensors = sensors_of(cfg, detector, image_size)
            if before_flops is not None:
                before_flops(side)
            facts['sides'][side]['flops'] = asdict(count_flops(detector, model.data_preprocessor, sensors))
    if is_distiller:
        facts['losses'] = [
            describe_loss(name, model, loss, name in model.losses)
            for name, loss in (config['losses'] or {}).items()
            if loss is not None
        ]
        facts['init_from_teacher'] = list(model.teacher_init.parts)
        facts['teacher_checkpoint'] = cfg.model.get('teacher_checkpoint')
        facts['unlabelled'] = None if model.unlabelled is None else asdict(model.unlabelled)
    return facts


def describe_side(detector: Any) -> dict[str, Any]:
    """Collect type, grid, parameters, taps and own losses of a detector."""
    taps = offered_taps(detector)
    return {
        'type': type(detector).__name__,
        'queue_length': getattr(detector, 'queue_length', 1),
        'grid': asdict(detector.grid),
        'num_classes': detector.num_classes,
        'parameters': {
            name: {
                'all': sum(parameter.numel() for parameter in module.parameters()),
                'trained': sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad),
            }
            for name, module in trained_parts(detector)
        },
        'taps': list(taps),
        'losses': {
            name: {'type': type(module).__name__, 'weight': module.loss_weight}
            for name, module in detector.named_modules()
            # A head has its heatmap's loss also where no heatmap feeds it.
            if hasattr(module, 'loss_weight') and ('heatmap' in taps or 'loss_heatmap' not in name)
        },
    }


def trained_parts(detector: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Iterate over the detector under the name '' and its parts with anything to learn in them."""

    def walk(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        if next(module.parameters(), None) is None:
            return
        yield name, module
        if name in ('', *SPLIT):
            for child, part in module.named_children():
                yield from walk(f'{name}.{child}'.lstrip('.'), part)

    return walk('', detector)


def describe_loss(name: str, model: BEVDistiller, config: Mapping[str, Any], is_on: bool) -> dict[str, Any]:
    """Collect type, taps, weight, schedule and options of a distillation loss."""
    options = {key: value for key, value in config.items() if key not in ('type', 'weight', 'schedule')}
    loss: Any = model.losses[name] if is_on else None
    schedule = WeightSchedule.from_config(config.get('schedule'))
    return {
        'name': name,
        'type': config['type'],
        'weight': float(config.get('weight', 1.0)),
        'terms': {term: float(entry.get('weight', 1.0)) for term, entry in config.get('terms', {}).items()},
        'schedule': {field.name: getattr(schedule, field.name) for field in fields(schedule)},
        'constant': schedule.constant,
        'wants': list(loss.wants) if is_on else [],
        'parameters': sum(parameter.numel() for parameter in loss.parameters()) if is_on else 0,
        'options': options,
    }


def sensors_of(cfg: Config, detector: nn.Module, image_size: tuple[int, int]) -> MadeUpSensors:
    """Make up the sensors that a detector reads, which the names of its parts tell."""
    has_cameras = hasattr(detector, 'img_backbone')
    sensors = {'points': 0} if has_cameras and not hasattr(detector, 'pts_voxel_encoder') else {}
    return MadeUpSensors(cfg.test_dataloader.dataset, image_size if has_cameras else None, **sensors)
