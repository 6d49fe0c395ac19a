"""A data set, a detector and a distiller small enough to be drawn in a second; registered when imported."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmdet3d.registry import DATASETS, MODELS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.model import BaseDataPreprocessor, BaseModel
from mmengine.structures import InstanceData
from torch import Tensor, nn

from bevdistill.structures import BEVGrid, BEVOutputs

GRID = BEVGrid((-20.0, -10.0, -5.0, 20.0, 10.0, 3.0), rows=10, cols=40)


@DATASETS.register_module(force=True)
class ToyData:
    """Four samples with six cameras and points; ground truth only in the information."""

    metainfo = dict(classes=('car', 'pedestrian'))

    def __init__(self, data_root: str, modality: dict[str, bool], missing: tuple[str, ...] = ()) -> None:
        self.modality = modality
        self.tokens = [token for token in ('t0', 't1', 't2', 't3') if token not in missing]
        self.data_root = data_root

    def __len__(self) -> int:
        return len(self.tokens)

    def get_data_info(self, index: int) -> dict[str, Any]:
        boxes = LiDARInstance3DBoxes(torch.tensor([[3.0, 5, -1, 4, 2, 1.5, 0, 0, 0]]), box_dim=9)
        return dict(token=self.tokens[index], eval_ann_info=dict(gt_bboxes_3d=boxes, gt_labels_3d=np.array([0])))

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = Det3DDataSample()
        matrices = np.tile(np.eye(4, dtype=np.float32), (1, 6, 1, 1))
        sample.set_metainfo(dict(token=self.tokens[index], lidar2img=matrices))
        inputs = {}
        if self.modality['use_camera']:
            inputs['img'] = torch.zeros(1, 6, 3, 8, 16)
        if self.modality['use_lidar']:
            inputs['points'] = torch.zeros(5, 5)
        return dict(inputs=inputs, data_samples=sample)


@MODELS.register_module(force=True)
class PictureDetector(BaseModel):
    """Predicts one box wherever it looks; fails when given a sensor that it did not ask for."""

    grid = GRID

    def __init__(self, sensor: str, channels: int = 4) -> None:
        super().__init__(data_preprocessor=BaseDataPreprocessor())
        self.sensor = sensor
        self.bev = nn.Parameter(torch.randn(channels, GRID.rows, GRID.cols))

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        return self.bev

    def forward_outputs(self, inputs: dict[str, Any], samples: list[Det3DDataSample]) -> BEVOutputs:
        if set(inputs) != ({'img', 'points'} if self.sensor == 'both' else {self.sensor}):
            raise AssertionError(f'asked for {self.sensor}, got {sorted(inputs)}')
        batch, decoder = len(samples), [torch.zeros(1, len(samples), 1, size) for size in (4, 2, 10, 3)]
        return BEVOutputs(
            GRID, self.bev.expand(batch, -1, -1, -1), *decoder, heatmap=torch.zeros(batch, 2, GRID.rows, GRID.cols)
        )

    def predict_from_outputs(self, outputs: BEVOutputs, samples: list[Det3DDataSample]) -> list[Det3DDataSample]:
        boxes = LiDARInstance3DBoxes(torch.tensor([[3.0, 5, -1, 4, 2, 1.5, 0, 0, 0]]), box_dim=9)
        for sample in samples:
            sample.pred_instances_3d = InstanceData(
                bboxes_3d=boxes, labels_3d=torch.tensor([0]), scores_3d=torch.tensor([0.9])
            )
        return samples


@MODELS.register_module(force=True)
class ToyDistiller(BaseModel):
    """A student and, outside the modules, a teacher that reads its weights when asked."""

    def __init__(self, student: dict[str, Any], teacher: dict[str, Any], teacher_checkpoint: str | None = None) -> None:
        super().__init__(data_preprocessor=BaseDataPreprocessor())
        self.student = MODELS.build(student)
        detector = MODELS.build(teacher)
        self.__dict__['teacher'] = detector.forward_outputs

    def forward(self, *args: Any, **kwargs: Any) -> None:
        return None
