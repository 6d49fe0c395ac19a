"""Every operator that mmcv compiles refuses to work, as those for CUDA do in a CPU build: nothing of ours may notice.

Deformable attention takes the reference in torch: the Triton kernels, which a GPU has, call nothing of mmcv either.
Focal loss has its own test in tests/detection, since mmdet asks the device which form it takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mmcv._ext
import pytest
import torch
from mmcv.ops import box_iou_rotated
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from bevdistill.apis.made_up_sensors import MadeUpSensors
from bevdistill.layers import DeformableConvolution
from bevdistill.layers.sampling import use_backend
from bevdistill.losses.pairing import TeacherBoxes
from bevdistill.structures import Targets, encode_boxes

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'synthetic'


@pytest.fixture(autouse=True)
def _no_operators(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*args: object, **kwargs: object) -> None:
        raise RuntimeError('implementation for device cuda:0 not found')

    for name in dir(mmcv._ext):
        if callable(getattr(mmcv._ext, name)) and not name.startswith('_'):
            monkeypatch.setattr(mmcv._ext, name, refuse)
    with pytest.raises(RuntimeError, match='not found'):
        box_iou_rotated(torch.ones(1, 5), torch.ones(1, 5))
    with use_backend('reference'):
        yield


@pytest.mark.parametrize(('name', 'size'), [
    ('bevformer/bevformer_r50_1x_nus-3d.py', (64, 176)), ('object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py', None),
])  # fmt: skip
def test_forward_and_backward(name: str, size: tuple[int, int] | None) -> None:
    """A student, and a teacher whose points are put into hard voxels."""
    init_default_scope('mmdet3d')
    cfg = Config.fromfile(str(CONFIGS / name))
    model = MODELS.build(cfg.model).train()
    sensors = MadeUpSensors(cfg.test_dataloader.dataset, size, points=0 if size else 2000)
    batch = model.data_preprocessor(sensors.batch(0), True)
    outputs = model.forward_outputs(batch['inputs'], batch['data_samples'])
    (outputs.codes.sum() + outputs.logits.sum()).backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters() if weight.grad is not None)


def test_deformable_convolution() -> None:
    layer = DeformableConvolution(3, 4, 3, padding=1)
    layer(torch.randn(1, 3, 5, 6)).sum().backward()
    assert layer.conv_offset.weight.grad.any()


@pytest.mark.parametrize('iou', ['3d', 'bev'])
def test_overlaps(iou: str) -> None:
    boxes = torch.tensor([[[0.0, 0, 0, 4, 2, 1, 0.3, 0, 0], [1.0, 0, 0, 4, 2, 1, 0.0, 0, 0]]])
    quality = MODELS.build(dict(type='ScoreIoUQuality', gamma=0.0, iou=iou))
    targets = Targets((boxes[0, :1],), (torch.zeros(1, dtype=torch.long),))
    index, valid = torch.arange(2)[None], torch.ones(1, 2, dtype=torch.bool)
    weights = quality(TeacherBoxes(index, valid, boxes, encode_boxes(boxes), torch.ones(1, 2, 1)), targets)
    assert float(weights.numerator[0, 0]) == pytest.approx(1, abs=1e-5)
    assert 0.3 < float(weights.numerator[0, 1]) < 1
