"""Fixtures of the student's tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from bevdistill.structures import BEVGrid
from bevdistill.students.bevformer import BEVFormerEncoder, BEVFormerHead

RANGE = (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0)
SMALL_ENCODER = dict(num_layers=2, num_heads=4, num_levels=2, feedforward_channels=64, dropout=0.0)
SMALL_DECODER = dict(num_layers=2, num_heads=4, feedforward_channels=64, dropout=0.0)


@pytest.fixture(autouse=True)
def _scope() -> None:
    init_default_scope('mmdet3d')


@pytest.fixture
def recorded_grid() -> BEVGrid:
    """Grid of the recorded cases: 10 rows, 8 columns."""
    return BEVGrid(RANGE, 10, 8)


@pytest.fixture
def make_encoder(recorded_grid: BEVGrid) -> Callable[..., BEVFormerEncoder]:
    """Encoder of the recorded cases' size, in eval mode."""
    return lambda **options: BEVFormerEncoder(recorded_grid, 32, **{**SMALL_ENCODER, **options}).eval()


@pytest.fixture
def make_head() -> Callable[..., BEVFormerHead]:
    """Head of the recorded cases' size, in eval mode."""

    def make(released_shift_both: bool = False, rows: int = 10, cols: int = 8, **options: object) -> BEVFormerHead:
        defaults = dict(
            grid=dict(point_cloud_range=list(RANGE), rows=rows, cols=cols),
            encoder={**SMALL_ENCODER, 'released_shift_both': released_shift_both},
            decoder=SMALL_DECODER,
            coder=dict(type='NMSFreeCoder', post_center_range=[-61.2, -61.2, -10.0, 61.2, 61.2, 10.0], max_num=15),
            num_queries=20,
            embed_dims=32,
            num_cams=3,
            num_level_embeds=2,
        )
        return BEVFormerHead(**{**defaults, **options}).eval()

    return make


def surround_matrices(num_cams: int, height: int, width: int) -> np.ndarray:
    """LiDAR to pixels for cameras at the LiDAR's position looking outward all around, clockwise from +y."""
    matrices = []
    for camera in range(num_cams):
        angle = 2 * np.pi * camera / num_cams
        right = [np.cos(angle), -np.sin(angle), 0]
        forward = [np.sin(angle), np.cos(angle), 0]
        rotation = np.array([right, [0, 0, -1], forward])
        intrinsic = np.array([[0.8 * width, 0, width / 2], [0, 0.8 * width, height / 2], [0, 0, 1]])
        matrix = np.eye(4)
        matrix[:3, :3] = intrinsic @ rotation
        matrices.append(matrix)
    return np.stack(matrices).astype(np.float32)


@pytest.fixture
def make_batch() -> Callable[..., tuple[dict, list[Det3DDataSample]]]:
    """Random images, calibrations and boxes as the data preprocessor gives them."""

    def make(
        boxes: list[int], num_cams: int = 3, height: int = 48, width: int = 80, queue: int = 1
    ) -> tuple[dict, list[Det3DDataSample]]:
        samples = []
        for number in boxes:
            matrices = surround_matrices(num_cams, height, width)
            matrices = matrices + np.random.randn(*matrices.shape).astype(np.float32) * 0.01
            sample = Det3DDataSample(
                metainfo=dict(
                    token=f'token{len(samples)}',
                    lidar2img=np.stack([matrices] * queue),
                    can_bus=np.random.randn(queue, 18).astype(np.float32),
                    batch_input_shape=(height, width),
                    box_type_3d=LiDARInstance3DBoxes,
                )
            )
            tensor = torch.cat(
                (
                    torch.rand(number, 2) * 90 - 45,
                    torch.rand(number, 1) - 1,
                    torch.rand(number, 3) * 3 + 1,
                    torch.randn(number, 3),
                ),
                dim=1,
            )
            sample.gt_instances_3d = InstanceData(
                bboxes_3d=LiDARInstance3DBoxes(tensor, box_dim=9), labels_3d=torch.randint(0, 10, (number,))
            )
            samples.append(sample)
        return dict(imgs=torch.randn(len(boxes), queue, num_cams, 3, height, width)), samples

    return make
