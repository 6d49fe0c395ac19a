"""Preprocess batches of camera images, LiDAR points or both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmdet3d.models.data_preprocessors import Det3DDataPreprocessor
from mmdet3d.models.data_preprocessors.utils import multiview_img_stack_batch
from mmdet3d.registry import MODELS
from torch import Tensor
from torch.nn import functional

from ..layers.voxels import count_voxels, hard_voxels, voxel_coordinates
from ..structures import keep_host_sizes
from .grid_mask import GridMask
from .photometric import PhotometricDistortion, distort


@MODELS.register_module()
class BEVDataPreprocessor(Det3DDataPreprocessor):
    """mmdet3d's preprocessor for queues of multi-camera images.

    In: ``img`` list of B tensors (T, N, 3, h, w), BGR, 0 to 255, sizes may differ between samples; ``points`` list of
    B tensors (P, 5). Either may be absent. Out: ``imgs`` (B, T, N, 3, H, W), normalised, padded to the right and
    below to one size, a multiple of `pad_size_divisor`; ``points`` unchanged; ``voxels`` with the numbers that mmdet3d
    makes, by :mod:`bevdistill.layers.voxels` where they are hard or dynamic. Each data sample gets
    ``batch_input_shape`` (H, W), the size that projections must be divided by, and ``pad_shape``.

    Args:
        grid_mask: Options of :class:`GridMask`, or None. In training it covers the current frame (the last of the
            queue), after normalisation; history frames never see it.
        photometric: Options of :class:`~.photometric.PhotometricDistortion`, or None. In training it distorts every
            image on the device, which takes the work from the loaders and lets images travel as bytes; the pipeline's
            own stage has to go (``photometric=None`` there). It sees images after the pipeline's resizing, not before.
        **kwargs: Of mmdet3d's preprocessor: mean, std, bgr_to_rgb, pad_size_divisor, voxel, voxel_type, voxel_layer,
            non_blocking (here True).
    """

    def __init__(
        self,
        grid_mask: Mapping[str, float] | None = None,
        photometric: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{'non_blocking': True, **kwargs})
        self._voxel_counts: list[int] | None = None
        self.grid_mask = None if grid_mask is None else GridMask(**grid_mask)
        self.photometric = None if photometric is None else PhotometricDistortion(**photometric)
        self._distorting = False

    def simple_process(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Process a batch; `training` turns distortion and grid mask on."""
        self._distorting = training and self.photometric is not None
        processed: dict[str, Any] = super().simple_process(data, training)
        imgs = processed['inputs'].get('imgs')
        if training and self.grid_mask is not None and imgs is not None:
            mask = self.grid_mask.draw(*imgs.shape[-2:])
            if mask is not None:
                imgs[:, -1] *= mask.to(imgs, non_blocking=True)
        return processed

    def preprocess_img(self, _batch_img: Tensor) -> Tensor:
        """Convert the channel order of images (..., 3, h, w) and normalise them."""
        if self._channel_conversion:
            _batch_img = _batch_img.flip(-3)
        _batch_img = _batch_img.float()
        if self._enable_normalize:
            _batch_img = (_batch_img - self.mean) / self.std
        return _batch_img

    def collate_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """Move to the device, normalise, pad and stack.

        Raises:
            ValueError: If an image tensor is not (T, N, 3, h, w), or T or N differ in a batch, or images to distort are
                not bytes.
        """
        for sample in data.get('data_samples') or ():
            if 'bboxes_3d' in sample.get('gt_instances_3d', ()):
                keep_host_sizes(sample.gt_instances_3d)
        self._voxel_counts = self._count_voxels(data['inputs'].get('points'))
        data = self.cast_data(data)
        data.setdefault('data_samples', None)
        queues = data['inputs'].get('img')
        if queues is not None:
            frames = queues[0].shape[:2]
            stacked = multiview_img_stack_batch(
                [self.preprocess_img(self._distorted(queue.flatten(0, 1))) for queue in queues],
                self.pad_size_divisor,
                self.pad_value,
            )
            data['inputs']['imgs'] = stacked.unflatten(1, frames)
        return data

    def _distorted(self, images: Tensor) -> Tensor:
        """Distort images (I, 3, h, w), each by numbers of its own, if this is a training pass that wants it."""
        if not self._distorting or self.photometric is None:
            return images
        if images.dtype != torch.uint8:
            raise ValueError(
                f'data_preprocessor.photometric wants images as bytes, got {images.dtype}: the pipeline has distorted '
                'them already. Set train_dataloader.dataset.dataset.pipeline.images.transforms.photometric=None'
            )
        return distort(images, self.photometric.draw(len(images)).to(images.device, non_blocking=True))

    def voxelize(self, points: Sequence[Tensor], data_samples: Any) -> dict[str, Tensor]:
        """Make voxels of all samples, as mmdet3d's method does."""
        layer = self.voxel_layer
        if self.voxel_type not in ('hard', 'dynamic'):
            voxels: dict[str, Tensor] = super().voxelize(points, data_samples)
            return voxels
        geometry = layer.voxel_size, layer.point_cloud_range, layer.grid_shape
        if self.voxel_type == 'hard':
            limit = layer.max_voxels[0 if layer.training else 1]
            counts, self._voxel_counts = self._voxel_counts, None
            return hard_voxels(points, *geometry, layer.max_num_points, limit, counts)._asdict()
        coors = [
            functional.pad(voxel_coordinates(cloud, *geometry), (1, 0), value=sample)
            for sample, cloud in enumerate(points)
        ]
        return dict(voxels=torch.cat(list(points)), coors=torch.cat(coors))

    def _count_voxels(self, points: Sequence[Tensor] | None) -> list[int] | None:
        """Count hard voxels of points that are about to leave the host, which would wait for the device's answer."""
        if points is None or not self.voxel or self.voxel_type != 'hard' or self.device.type == 'cpu':
            return None
        if any(cloud.device.type != 'cpu' for cloud in points):
            return None
        layer = self.voxel_layer
        return [count_voxels(cloud, layer.voxel_size, layer.point_cloud_range, layer.grid_shape) for cloud in points]

    def _get_pad_shape(self, data: dict[str, Any]) -> list[tuple[int, int]]:
        """Check the images, which this sees first, and round the size of each sample up to the divisor."""
        shapes = []
        for queue in data['inputs']['img']:
            first = data['inputs']['img'][0]
            if not isinstance(queue, torch.Tensor) or queue.dim() != 5 or queue.shape[2] != 3:
                got = tuple(queue.shape) if isinstance(queue, torch.Tensor) else type(queue).__name__
                raise ValueError(f'images of a sample must be (T, N, 3, h, w), got {got}; pack with PackBEVInputs')
            if queue.shape[:2] != first.shape[:2]:
                raise ValueError(
                    f'samples of a batch must agree in frames and cameras (T, N), got {tuple(first.shape[:2])} and '
                    f'{tuple(queue.shape[:2])}'
                )
            divisor = self.pad_size_divisor
            height, width = (math.ceil(side / divisor) * divisor for side in queue.shape[-2:])
            shapes.append((height, width))
        return shapes
