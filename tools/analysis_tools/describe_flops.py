"""Floating-point operations of one frame in testing, counted while a detector looks at made-up sensor data."""

from __future__ import annotations

import inspect
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.analysis import FlopAnalyzer
from mmengine.analysis.jit_handles import conv_flop_count, get_shape
from torch import Tensor, nn

from bevdistill.datasets import build_stages
from bevdistill.datasets.transforms.images import lidar2img_matrix
from bevdistill.synthetic.rig import LIDAR, make_rig
from bevdistill.synthetic.settings import CameraSettings

CAMERAS = ('CAM_FRONT', 'CAM_FRONT_RIGHT', 'CAM_FRONT_LEFT', 'CAM_BACK', 'CAM_BACK_LEFT', 'CAM_BACK_RIGHT')
POINTS = 250_000
"""Points of a nuScenes keyframe and nine sweeps, about."""
CUSTOM = 'prim::PythonOp.'


@dataclass(frozen=True)
class SensorData:
    """Made-up sensor data of one sample: grey images of a nuScenes-like rig, points around the car.

    Args:
        dataset: Config of the test data set; its image stages resize and crop.
        image_size: Height and width of the images on disk, None for no cameras.
        points: Number of LiDAR points, 0 for no LiDAR.
    """

    dataset: Mapping[str, Any]
    image_size: tuple[int, int] | None
    points: int = POINTS

    def batch(self, frame: int) -> dict[str, Any]:
        """What a data loader would give: frame `frame` of a drive, the car standing still."""
        meta = dict(
            token=f'made-up-{frame}',
            scene_token='made-up',
            frame_idx=frame,
            can_bus=np.zeros((1, 18), dtype=np.float32),
            can_bus_absolute=np.zeros(18),
            history_exists=np.zeros(1, dtype=bool),
            box_type_3d=LiDARInstance3DBoxes,
        )
        inputs: dict[str, Any] = {}
        if self.image_size is not None:
            cameras = self.cameras(self.image_size)
            meta['lidar2img'] = np.stack(
                [lidar2img_matrix(*pair) for pair in zip(cameras['cam2img'], cameras['lidar2cam'], strict=True)]
            )[None].astype(np.float32)
            meta['img_shape'] = [image.shape[:2] for image in cameras['img']]
            inputs['img'] = [torch.from_numpy(np.stack(cameras['img'])).permute(0, 3, 1, 2)[None].contiguous()]
        if self.points:
            inputs['points'] = [self.cloud(np.random.default_rng(0))]
        return dict(inputs=inputs, data_samples=[Det3DDataSample(metainfo=meta)])

    def cameras(self, image_size: tuple[int, int]) -> dict[str, Any]:
        """Images and matrices of the six cameras after the data set's own image stages."""
        height, width = image_size
        rig = make_rig(np.random.default_rng(0), CameraSettings(height, width, pitch_jitter=0.0, focal_jitter=0.0))
        results: dict[str, Any] = dict(
            img=[np.full((height, width, 3), 128, dtype=np.uint8) for _ in CAMERAS],
            cam2img=[rig[camera].intrinsic for camera in CAMERAS],
            lidar2cam=[np.linalg.inv(rig[camera].to_ego) @ rig[LIDAR].to_ego for camera in CAMERAS],
        )
        stages = self.dataset['pipeline'].get('images', {}).get('transforms', {})
        for stage in build_stages({name: stage for name, stage in stages.items() if name != 'load'}):
            results = stage(results)
        return results

    def cloud(self, rng: np.random.Generator) -> Tensor:
        """Points (P, 5) as dense as those of a spinning LiDAR: equally many in each ring of equal width."""
        distance, angle = rng.uniform(2.0, 50.0, self.points), rng.uniform(0, 2 * np.pi, self.points)
        height, intensity = rng.uniform(-2.5, 1.0, self.points), rng.uniform(0, 255, self.points)
        columns = (distance * np.cos(angle), distance * np.sin(angle), height, intensity, np.zeros(self.points))
        return torch.from_numpy(np.stack(columns, axis=1).astype(np.float32))


class _OneFrame(nn.Module):
    """A detector as a function of one tensor, which is what tracing wants."""

    def __init__(self, detector: nn.Module, data: Mapping[str, Any]) -> None:
        super().__init__()
        self.detector = detector
        self.data = data
        self.options = (
            {'with_heatmap': False} if 'with_heatmap' in inspect.signature(detector.forward_outputs).parameters else {}
        )

    def tensor(self) -> Tensor:
        inputs = self.data['inputs']
        return inputs['imgs'] if 'imgs' in inputs else inputs['voxels']['voxels']

    def forward(self, tensor: Tensor) -> tuple[Tensor, ...]:
        inputs = dict(self.data['inputs'])
        if 'imgs' in inputs:
            inputs['imgs'] = tensor
        else:
            inputs['voxels'] = dict(inputs['voxels'], voxels=tensor)
        outputs = self.detector.forward_outputs(inputs, self.data['data_samples'], **self.options)
        return outputs.bev, outputs.logits, outputs.codes


def deformable_convolution(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Multiply-adds of mmcv's DCNv2, ``(input, offset, mask, weight, ...)``: those of a plain convolution."""
    shapes = get_shape(inputs[0]), get_shape(inputs[3]), get_shape(outputs[0])
    return Counter({'deformable_conv': conv_flop_count(*shapes)})


def deformable_sampling(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Multiply-adds of ``HostSampling(value, locations, weights, ...)``: four cells a sample and channel."""
    value_ISMD, weights_AMLP = get_shape(inputs[0]), get_shape(inputs[2])
    return Counter({'deformable_sampling': 4 * math.prod(weights_AMLP) * value_ISMD[-1]})


@dataclass(frozen=True)
class Flops:
    """Multiply-adds of one frame.

    Attributes:
        by_module: From the dotted name of a module inside the detector ('' for all) to the count.
        image: Cameras, height and width that the network saw, or None.
        not_counted: Operations with a kernel of their own that have no known count, and parts with sparse convolutions.
    """

    by_module: dict[str, int]
    image: tuple[int, int, int] | None
    not_counted: Sequence[str]


def sparse_parts(detector: nn.Module) -> dict[str, nn.Module]:
    """Parts of a detector with sparse convolutions, which spconv cannot run while it is traced."""
    return {
        name: part
        for name, part in detector.named_children()
        if any(hasattr(module, 'subm') for module in part.modules())
    }


@contextmanager
def answers_kept(parts: Iterable[nn.Module]) -> Iterator[Callable[[], None]]:
    """Inside the context the parts remember their last answer; after the call of what it yields they repeat it."""
    answers: dict[nn.Module, Any] = {}
    parts = list(parts)
    hooks = [part.register_forward_hook(lambda part, _, answer: answers.__setitem__(part, answer)) for part in parts]

    def keep() -> None:
        for hook in hooks:
            hook.remove()
        for part in parts:
            # An attribute of the object, in front of its class's method. Tracing drops whatever leads to nothing.
            part.forward = lambda given, *_, answer=answers[part], **__: answer + 0 * given.sum()

    try:
        yield keep
    finally:
        for hook in hooks:
            hook.remove()
        for part in parts:
            vars(part).pop('forward', None)


@torch.no_grad()
def count_flops(detector: nn.Module, preprocessor: nn.Module, sensors: SensorData) -> Flops:
    """Count multiply-adds of one frame in testing: batch of one, history from the frame before where it is used.

    A multiply-add counts once, as in mmengine's and other published figures. Counted are convolutions (deformable ones
    too), matrix products, normalisation and bilinear sampling, not element-wise operations.

    Args:
        detector: A student or a teacher, in any mode; it is left in eval mode.
        preprocessor: Data preprocessor that feeds it.
        sensors: Made-up data.
    """
    frames = [preprocessor(sensors.batch(frame), False) for frame in range(2)]
    # Not between the frames: a switch of the mode makes a detector forget.
    first, second = (_OneFrame(detector, data).eval() for data in frames)
    sparse = sparse_parts(detector)
    with answers_kept(sparse.values()) as keep, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        if sparse or getattr(detector, 'queue_length', 1) > 1:
            first(first.tensor())
        keep()
        analyzer = FlopAnalyzer(second, (second.tensor(),))
        analyzer.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings('none')
        analyzer.set_op_handle(CUSTOM + 'ModulatedDeformConv2dFunction', deformable_convolution)
        analyzer.set_op_handle(CUSTOM + 'HostSampling', deformable_sampling)
        by_module = analyzer.by_module()
        unknown = analyzer.unsupported_ops()
    # Forget the made-up scene.
    detector.eval()
    image = frames[1]['inputs'].get('imgs')
    return Flops(
        {name.removeprefix('detector').removeprefix('.'): int(count) for name, count in by_module.items() if name},
        None if image is None else (image.shape[2], image.shape[4], image.shape[5]),
        [
            *(f'sparse convolutions of {name}' for name in sparse),
            *sorted(name.removeprefix(CUSTOM) for name in unknown if name.startswith(CUSTOM)),
        ],
    )
