from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.config import Config
from mmengine.structures import InstanceData

from bevdistill.detection import BEVDetector
from bevdistill.structures import BEVGrid, BEVOutputs, Targets

GRID = BEVGrid((-4.0, -2.0, -1.0, 4.0, 2.0, 1.0), rows=2, cols=3)


class Head(SimpleNamespace):
    """Records what it is asked."""

    grid, num_classes = GRID, 4

    def loss(self, outputs: BEVOutputs, targets: Targets) -> dict[str, torch.Tensor]:
        self.targets = targets
        return {'loss_map': outputs.bev.mean()}

    def predict(self, outputs: BEVOutputs, samples: list[Det3DDataSample]) -> list[InstanceData]:
        return [
            InstanceData(bboxes_3d=LiDARInstance3DBoxes(torch.ones(1, 9), box_dim=9), scores_3d=torch.tensor([0.5]))
            for _ in samples
        ]


class Constant(BEVDetector):
    """A detector whose map is its input."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.pts_bbox_head = Head()

    def extract_feat(self, batch_inputs: torch.Tensor) -> torch.Tensor:
        return batch_inputs

    def forward_outputs(self, inputs: dict[str, Any], samples: list[Det3DDataSample]) -> BEVOutputs:
        batch = len(samples)
        rows = torch.zeros(1, batch, 5, 10)
        return BEVOutputs(GRID, inputs['map'], torch.zeros(1, batch, 5, 6), rows[..., :4], rows, rows[..., :3])


def batch() -> tuple[dict[str, torch.Tensor], list[Det3DDataSample]]:
    instances = InstanceData(
        bboxes_3d=LiDARInstance3DBoxes(torch.ones(2, 9), box_dim=9), labels_3d=torch.zeros(2, dtype=torch.long)
    )
    return {'map': torch.full((2, 1, 2, 3), 3.0)}, [Det3DDataSample(gt_instances_3d=instances) for _ in range(2)]


def test_all_three_modes_run_the_same_pass():
    detector = Constant()
    inputs, samples = batch()
    assert detector(inputs, samples, mode='loss')['loss_map'].item() == 3.0
    assert [len(boxes) for boxes in detector.pts_bbox_head.targets.boxes] == [2, 2]
    assert detector(inputs, samples, mode='tensor').bev is inputs['map']
    predicted = detector(inputs, samples, mode='predict')
    assert [sample.pred_instances_3d.scores_3d.tolist() for sample in predicted] == [[0.5], [0.5]]


def test_grid_and_classes_are_the_heads():
    assert (Constant().grid, Constant().num_classes) == (GRID, 4)


def test_a_subclass_must_write_the_pass():
    with pytest.raises(TypeError, match='forward_outputs'):
        BEVDetector()


def test_settings_that_nothing_reads_must_be_empty():
    Constant(train_cfg=None, test_cfg={})
    with pytest.raises(ValueError, match=r"Constant reads no test_cfg, found \['nms'\] in it"):
        Constant(test_cfg=dict(nms=0.5))


def test_a_bare_tensor_is_refused_with_the_command_that_counts():
    with pytest.raises(TypeError, match='found Tensor; to count operations use: bevdistill describe CONFIG'):
        Constant()(torch.ones(1, 40, 4))


def test_the_config_of_init_model_has_a_list_of_stages():
    points = dict(type='LoadLidarPoints', load_dim=4)
    stages = dict(
        images=dict(type='A'), points=points, points_turn=None, points_range=dict(type='C'), pack=dict(type='D')
    )
    cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=stages, modality=dict(use_lidar=True)))))
    detector = Constant()
    detector.cfg = cfg
    dataset = cfg.test_dataloader.dataset
    assert dataset.pipeline[0] == dict(type='LoadPointsFromFile', coord_type='LIDAR', load_dim=4, use_dim=5)
    assert [stage.type for stage in dataset.pipeline[1:]] == ['C', 'D']
    assert dataset.box_type_3d == 'LiDAR'
    detector.cfg = detector.cfg
    assert detector.cfg.test_dataloader.dataset == dataset
