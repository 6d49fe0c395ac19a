"""Small made-up detectors, their checkpoints and batches, for tests of what teaches and learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet3d.models.detectors.base import Base3DDetector
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.structures import InstanceData
from torch import Tensor, nn

import bevdistill.losses  # noqa: F401
from bevdistill.checkpoints import BOX_CONVENTION, META_KEY
from bevdistill.structures import BEVGrid, BEVOutputs

RANGE = [-8.0, -6.0, -5.0, 8.0, 6.0, 3.0]
CLASSES = ['car', 'truck', 'bus']


class FakeHead(nn.Module):
    """Parameters under the names of real heads, and just enough computation to use them all."""

    def __init__(self, channels: int, layers: int, queries: int, classes: int, heatmap: bool, dims: int) -> None:
        super().__init__()
        self.transformer = nn.Module()
        self.transformer.decoder = nn.Linear(channels, channels)
        self.transformer.reference_points = nn.Linear(channels, dims)
        self.query_embedding = nn.Embedding(queries, channels)
        self.cls_branches = nn.ModuleList(nn.Linear(channels, classes) for _ in range(layers))
        self.reg_branches = nn.ModuleList(nn.Linear(channels, 10) for _ in range(layers))
        shared = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels))
        self.shared_conv = shared if heatmap else None
        self.task_heads = nn.ModuleList([nn.Conv2d(channels, classes, 1)]) if heatmap else None


@MODELS.register_module(force=True)
class FakeDetector(Base3DDetector):
    """A BEV detector that reads ``inputs[source]``, a map (B, 2, rows, cols)."""

    def __init__(
        self,
        source: str,
        channels: int = 4,
        layers: int = 2,
        queries: int = 6,
        classes: int = 3,
        heatmap: bool = True,
        dims: int = 3,
        rows: int = 6,
        cols: int = 8,
        limits: list[float] = RANGE,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.source = source
        self.num_classes = classes
        self.grid = BEVGrid.from_config(limits, rows, cols)
        self.stem = nn.Sequential(nn.Conv2d(2, channels, 1), nn.BatchNorm2d(channels), nn.Dropout(0.1))
        self.pts_bbox_head = FakeHead(channels, layers, queries, classes, heatmap, dims)
        self.seen_dtype: torch.dtype | None = None
        self.autocast_on: bool | None = None

    def init_weights(self) -> None:
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.3)
        self._is_init = True

    def extract_feat(self, inputs: dict[str, Any]) -> Tensor:
        return self.stem(inputs[self.source])

    def forward_outputs(self, inputs: dict[str, Any], samples: list[Det3DDataSample]) -> BEVOutputs:
        head = self.pts_bbox_head
        bev = self.extract_feat(inputs)
        self.autocast_on = torch.is_autocast_enabled(bev.device.type)
        self.seen_dtype = bev.dtype
        embedding = head.query_embedding.weight
        references = head.transformer.reference_points(embedding).sigmoid()
        state = head.transformer.decoder(embedding)[None] + bev.mean(dim=(2, 3))[:, None]
        states = torch.stack([state * (1 + index) for index in range(len(head.cls_branches))])
        codes = torch.stack([branch(s) for branch, s in zip(head.reg_branches, states, strict=True)])
        offset = self.grid.denormalise(references[:, :2])
        codes = torch.cat((codes[..., :2] + offset, codes[..., 2:].tanh()), dim=-1)
        features = None if head.shared_conv is None else head.shared_conv(bev)
        return BEVOutputs(
            grid=self.grid,
            bev=bev,
            states=states,
            logits=torch.stack([branch(s) for branch, s in zip(head.cls_branches, states, strict=True)]),
            codes=codes,
            references=references.expand(*states.shape[:3], -1),
            heatmap=None if features is None else head.task_heads[0](features),
            heatmap_features=features,
        )

    def loss_from_outputs(self, outputs: BEVOutputs, samples: list[Det3DDataSample]) -> dict[str, Tensor]:
        losses = {'loss_cls': outputs.logits.square().mean(), 'loss_bbox': outputs.codes.abs().mean()}
        return losses if outputs.heatmap is None else losses | {'loss_heatmap': outputs.heatmap.square().mean()}

    def loss(self, inputs: dict[str, Any], samples: list[Det3DDataSample], **kwargs: Any) -> dict[str, Tensor]:
        return self.loss_from_outputs(self.forward_outputs(inputs, samples), samples)

    def predict(self, inputs: dict[str, Any], samples: list[Det3DDataSample], **kwargs: Any) -> Any:
        boxes = self.forward_outputs(inputs, samples).boxes
        instances = [
            InstanceData(bboxes_3d=LiDARInstance3DBoxes(box, box_dim=9, origin=(0.5, 0.5, 0.5))) for box in boxes
        ]
        return self.add_pred_to_datasample(samples, instances)

    def _forward(self, inputs: dict[str, Any], samples: list[Det3DDataSample], **kwargs: Any) -> BEVOutputs:
        return self.forward_outputs(inputs, samples)


@pytest.fixture
def save_teacher(tmp_path: Path) -> Callable[..., Path]:
    """``save_teacher(FakeDetector arguments)``: a trained teacher's checkpoint."""

    def save(meta: dict[str, Any] | None = None, name: str = 'teacher.pth', **arguments: Any) -> Path:
        torch.manual_seed(99)
        teacher = FakeDetector('points', **arguments)
        identity = dict(classes=CLASSES, point_cloud_range=RANGE, box_convention=BOX_CONVENTION)
        path = tmp_path / name
        torch.save(dict(meta={META_KEY: identity | (meta or {})}, state_dict=teacher.state_dict()), path)
        return path

    return save


@pytest.fixture
def batch() -> Callable[..., dict[str, Any]]:
    """``batch(2, boxes=3)``: inputs and samples as the preprocessor gives them."""

    def make(size: int = 2, boxes: int = 3, rows: int = 6, cols: int = 8, teacher_scale: int = 1) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(5)
        inputs = dict(
            imgs=torch.randn(size, 2, rows, cols, generator=generator),
            points=torch.randn(size, 2, rows * teacher_scale, cols * teacher_scale, generator=generator),
        )
        samples = []
        for _ in range(size):
            sample = Det3DDataSample()
            low = torch.tensor([-7.0, -5.0, -2.0, 1.0, 1.0, 1.0, -3.0, -1.0, -1.0])
            boxes_9 = low + torch.rand(boxes, 9, generator=generator) * low.abs() * 2
            sample.gt_instances_3d = InstanceData(
                bboxes_3d=LiDARInstance3DBoxes(boxes_9, box_dim=9), labels_3d=torch.zeros(boxes, dtype=torch.long)
            )
            samples.append(sample)
        return dict(inputs=inputs, data_samples=samples)

    return make
