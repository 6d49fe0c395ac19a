"""Made-up drives: frames with images, poses and calibrations, as training queues and as test batches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.structures import InstanceData
from student_configs import small
from torch import Tensor, nn

from bevdistill.structures.ego_state import relative_can_bus
from bevdistill.students import BEVFormer

CAMS, HEIGHT, WIDTH = 3, 48, 80
Key = tuple[str, int]
Batch = tuple[dict[str, Tensor], list[Det3DDataSample]]


@cache
def frame(scene: str, index: int) -> tuple[Tensor, np.ndarray, np.ndarray]:
    """Images (N, 3, H, W), projections (N, 4, 4) and absolute vehicle state (18,) of a frame."""
    rng = np.random.default_rng([ord(scene), index])
    images = torch.from_numpy(rng.normal(size=(CAMS, 3, HEIGHT, WIDTH)).astype(np.float32))
    calibration = np.random.default_rng(ord(scene))
    matrices = []
    for camera in range(CAMS):
        angle = 2 * np.pi * camera / CAMS + 0.05 * calibration.normal()
        right, forward = [np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]
        matrix = np.eye(4)
        matrix[:3, :3] = np.array([[64, 0, 40], [0, 38, 24], [0, 0, 1]]) @ np.array([right, [0, 0, -1], forward])
        matrices.append(matrix)
    state = rng.normal(size=18)
    heading = (0.3 + 0.2 * index) % (2 * np.pi)
    state[:3] = 600 + 5 * index, 1500 - 2 * index, 0.1 * index
    state[[16, 17]] = heading, np.degrees(heading)
    return images, np.stack(matrices), state


def queue_batch(queues: Sequence[Sequence[Key]], boxes: int = 2) -> Batch:
    """Queues (B, T) of frames with `boxes` objects in the last of each, as preprocessor and data set give them."""
    samples = []
    for queue in queues:
        frames = [frame(*key) for key in queue]
        can_bus, continues = relative_can_bus([state for *_, state in frames], [scene for scene, _ in queue])
        scene, index = queue[-1]
        meta = dict(
            token=f'{scene}{index}',
            scene_token=scene,
            frame_idx=index,
            lidar2img=np.stack([matrices for _, matrices, _ in frames]),
            can_bus=can_bus.astype(np.float32),
            can_bus_absolute=frames[-1][2].copy(),
            history_exists=continues,
            batch_input_shape=(HEIGHT, WIDTH),
            box_type_3d=LiDARInstance3DBoxes,
        )
        sample = Det3DDataSample(metainfo=meta)
        rng = np.random.default_rng([7, ord(scene), index])
        box = rng.uniform([-40, -40, -2, 1, 1, 1, -3, -2, -2], [40, 40, 1, 4, 4, 3, 3, 2, 2], (boxes, 9))
        sample.gt_instances_3d = InstanceData(
            bboxes_3d=LiDARInstance3DBoxes(torch.from_numpy(box).float(), box_dim=9),
            labels_3d=torch.from_numpy(rng.integers(0, 10, boxes)),
        )
        samples.append(sample)
    return dict(imgs=torch.stack([torch.stack([frame(*key)[0] for key in queue]) for queue in queues])), samples


def frame_batch(keys: Sequence[Key]) -> Batch:
    """Frames as a test data set gives them: queues of one."""
    return queue_batch([[key] for key in keys])


def temporal_student(queue_length: int = 3, **changes: Any) -> BEVFormer:
    """A small student whose history matters, in eval mode."""
    torch.manual_seed(1)
    model = MODELS.build({**small(), 'queue_length': queue_length, **changes})
    model.init_weights()
    for name, module in model.named_modules():
        if name.endswith(('sampling_offsets', 'attention_weights')):
            nn.init.normal_(module.weight, std=0.1)
    return model.eval()
