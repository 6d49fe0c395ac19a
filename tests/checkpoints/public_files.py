"""Backbone files in the public formats, and detectors that start from them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet3d.registry import MODELS
from mmengine.logging import MMLogger
from torch import Tensor, nn

from bevdistill.detection import BEVDetector

Files = dict[str, Any]


class Detector(BEVDetector):
    """A detector that is no more than its backbone and a layer of its own."""

    def __init__(self, backbone: dict[str, Any], init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.img_backbone = MODELS.build(backbone)
        self.other = nn.Linear(2, 2)

    def extract_feat(self, inputs: Any) -> Any:
        raise NotImplementedError

    forward_outputs = extract_feat


def resnet(depth: int = 50, dcn: bool = False, **options: Any) -> dict[str, Any]:
    """A ResNet of full depth with few channels: names are those of the public files."""
    deformable = dict(
        dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, False, True, True),
    )
    return dict(
        dict(base_channels=2),
        type='mmdet.ResNet',
        depth=depth,
        num_stages=4,
        out_indices=(1, 2, 3),
        frozen_stages=1,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        **(deformable if dcn else {}),
        **options,
    )


_STATES: dict[str, dict[str, Tensor]] = {}
"""Of backbones by their config: to build one takes longer than what most of the tests do with it."""


def weights_of(config: dict[str, Any]) -> dict[str, Tensor]:
    """Random weights under the names of a backbone."""
    if repr(config) not in _STATES:
        _STATES[repr(config)] = MODELS.build(config).state_dict()
    state = _STATES[repr(config)]
    return {name: torch.rand_like(v) if v.is_floating_point() else v for name, v in state.items()}


def torchvision_file(path: Path, depth: int = 50, old: bool = True) -> Files:
    """As torchvision publishes them: bare names, a classifier; files of before torch 0.4.1 have no batch counters."""
    weights = weights_of(resnet(depth))
    if old:
        weights = {name: value for name, value in weights.items() if not name.endswith('num_batches_tracked')}
    weights |= {'fc.weight': torch.rand(1000, 64), 'fc.bias': torch.rand(1000)}
    torch.save(weights, path)
    return dict(weights=weights)


def mmpretrain_file(path: Path) -> Files:
    """As mmpretrain publishes them: ``backbone.`` and ``head.``, meta data of mmengine."""
    weights = weights_of(resnet(50))
    state = {f'backbone.{name}': value for name, value in weights.items()}
    state |= {'head.fc.weight': torch.rand(1000, 64), 'head.fc.bias': torch.rand(1000)}
    torch.save(dict(meta=dict(mmengine_version='0.3.0', epoch=90), state_dict=state), path)
    return dict(weights=weights)


def fcos3d_file(path: Path, prefix: str = 'backbone.', depth: int = 101) -> Files:
    """As FCOS3D's: a whole detector of mmdet3d 0.x, R101 with DCNv2, numbers of numpy in its meta data."""
    weights = weights_of(resnet(depth, dcn=True, style='caffe'))
    state = {f'{prefix}{name}': value for name, value in weights.items()}
    state |= {'neck.lateral_convs.0.conv.weight': torch.rand(2, 2, 1, 1), 'bbox_head.conv_cls.weight': torch.rand(3, 3)}
    meta = dict(mmdet3d_version='0.6.1', CLASSES=('car',), best=np.float64(0.3))
    torch.save(dict(meta=meta, state_dict=state, optimizer=dict(lr=np.float32(1))), path)
    return dict(weights=weights)


def initialised(backbone: dict[str, Any], file: Path | str, **init: Any) -> tuple[Detector, str]:
    """A detector after ``init_weights``, and the lines of its log about the backbone."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        detector = Detector(dict(backbone, init_cfg=dict(type='Pretrained', checkpoint=str(file), **init)))
        detector.init_weights()
    finally:
        logger.removeHandler(handler)
    return detector, '\n'.join(line for line in lines if line.startswith('img_backbone: '))


def check_equal(detector: Detector, weights: dict[str, Tensor], but: str = 'num_batches_tracked') -> None:
    own = detector.img_backbone.state_dict()
    published = {name for name in weights if but not in name and not name.startswith('fc.')}
    assert {name for name in own if but not in name} == published
    for name, value in own.items():
        if but not in name:
            assert torch.equal(value, weights[name]), name
