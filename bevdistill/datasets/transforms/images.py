"""Load, resize and crop the camera images of a queue, together with their projections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.datasets.transforms import LoadMultiViewImageFromFiles
from mmdet3d.registry import TRANSFORMS
from mmengine.dataset import Compose
from numpy.typing import NDArray

from ..contents import check_size
from .files import BackendArgs, read_image
from .stages import Pipeline, build_stages


@TRANSFORMS.register_module()
class LoadCameraImages(LoadMultiViewImageFromFiles):
    """Load images and matrices of all cameras of one frame, in the order of the information file.

    Adds ``img`` (list of (h, w, 3), BGR), ``cam2img`` (list of 3 x 3, pixels) and ``lidar2cam`` (list of 4 x 4).

    Note:
        mmdet3d's loader stacks the cameras along the last axis and returns strided views, which slow down every later
        transform; the images stay separate here, and errors about missing files name their sample.

    Args:
        to_float32: Convert to float32 at once. The photometric distortion does so by itself; without it, bytes are
            four times cheaper to move between processes.
        color_type: Of mmcv's decoder.
        backend_args: Of mmengine's file client.
    """

    def __init__(self, to_float32: bool = False, color_type: str = 'color', backend_args: BackendArgs = None) -> None:
        super().__init__(to_float32=to_float32, color_type=color_type, backend_args=backend_args)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load the cameras of `images`."""
        cameras = results['images'].values()
        images = [read_image(c['img_path'], results['token'], self.color_type, self.backend_args) for c in cameras]
        for camera, image in zip(cameras, images, strict=True):
            where = f'sample {results["token"]}: {camera["img_path"]}'
            check_size(image.shape[1], image.shape[0], camera['cam2img'], where)
        results['img'] = [image.astype(np.float32) for image in images] if self.to_float32 else images
        results['cam2img'] = [np.array(camera['cam2img'], dtype=np.float64) for camera in cameras]
        results['lidar2cam'] = [np.array(camera['lidar2cam'], dtype=np.float64) for camera in cameras]
        return results


@TRANSFORMS.register_module()
class ResizeCropCameras(BaseTransform):
    """Resize, then crop, every camera of one frame, and its intrinsics with it.

    A pixel (u, v) goes to ``(s_x u - left, s_y v - top)``, so row 0 of the intrinsics is multiplied by s_x and row 1
    by s_y, and ``left`` and ``top`` are subtracted from the principal point. The scales are those of the sizes in
    whole pixels, not the ones asked for. Padding to the right and below, which the preprocessor does, changes nothing.

    Args:
        scale: Factor for both sides.
        size: (height, width) in pixels, in place of `scale`.
        crop: (top, left, height, width) of the part that stays, in pixels after resizing; None keeps all.

    Raises:
        ValueError: If both or neither of `scale` and `size` are given, `scale` is not above 0, or the crop leaves the
            image.
    """

    def __init__(
        self,
        scale: float | None = None,
        size: Sequence[int] | None = None,
        crop: Sequence[int] | None = None,
    ) -> None:
        if (scale is None) == (size is None):
            raise ValueError(f'ResizeCropCameras needs either scale or size, got scale={scale}, size={size}')
        if scale is not None and not scale > 0:
            raise ValueError(f'scale of ResizeCropCameras is a number above 0, got {scale}')
        self.scale = scale
        self.size = size
        self.crop = crop

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change `img` and `cam2img`."""
        pairs = [self._one(img, cam2img) for img, cam2img in zip(results['img'], results['cam2img'], strict=True)]
        results['img'] = [image for image, _ in pairs]
        results['cam2img'] = [matrix for _, matrix in pairs]
        return results

    def _one(self, image: NDArray[Any], cam2img: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        old_height, old_width = image.shape[:2]
        if self.size is not None:
            height, width = self.size
        else:
            assert self.scale is not None
            height, width = round(old_height * self.scale), round(old_width * self.scale)
        if (height, width) != (old_height, old_width):
            image = mmcv.imresize(image, (width, height))
        matrix = cam2img.copy()
        matrix[0] *= width / old_width
        matrix[1] *= height / old_height
        if self.crop is not None:
            top, left, crop_height, crop_width = self.crop
            if min(top, left) < 0 or top + crop_height > height or left + crop_width > width:
                raise ValueError(
                    f'crop (top, left, height, width) = {tuple(self.crop)} leaves the resized image of '
                    f'{height} x {width} pixels'
                )
            image = np.ascontiguousarray(image[top : top + crop_height, left : left + crop_width])
            matrix[0] -= left * matrix[2]
            matrix[1] -= top * matrix[2]
        return image, matrix

    def __repr__(self) -> str:
        return f'{type(self).__name__}(scale={self.scale}, size={self.size}, crop={self.crop})'


def lidar2img_matrix(cam2img: NDArray[Any], lidar2cam: NDArray[Any]) -> NDArray[np.float64]:
    """Compute the matrix from LiDAR points to pixels, (4, 4): pixels are rows 0 and 1 divided by row 2.

    Note:
        mmdet3d's ``get_lidar2img`` pads the intrinsics with zeros, which makes the last row of the product zero;
        it is (0, 0, 0, 1) here, so that the matrix can be inverted.
    """
    intrinsic = np.eye(4)
    intrinsic[: cam2img.shape[0], : cam2img.shape[1]] = cam2img
    return intrinsic @ lidar2cam


@TRANSFORMS.register_module()
class ImageQueue(BaseTransform):
    """Run image transforms on each of the T frames in ``results['frames']`` and collect the results.

    History frames need nothing but images and matrices; points and boxes are those of the current frame alone. A
    frame that stands in the queue twice is loaded once.

    Adds ``img`` (list of T * N images), ``lidar2img`` (T, N, 4, 4) float32, and ``cam2img``, ``lidar2cam``,
    ``img_shape`` of the current frame's N cameras.

    Args:
        transforms: Stages of one frame: its loader and what follows.
    """

    def __init__(self, transforms: Pipeline) -> None:
        self.transforms = Compose(build_stages(transforms))

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load the queue.

        Raises:
            ValueError: If the images of a sample differ in size after the transforms.
        """
        done: dict[str, dict[str, Any]] = {}
        for frame in results['frames']:
            if frame['token'] not in done:
                done[frame['token']] = self.transforms({'images': frame['images'], 'token': frame['token']})
        queue = [done[frame['token']] for frame in results['frames']]
        images = [image for frame in queue for image in frame['img']]
        sizes = {image.shape[:2] for image in images}
        if len(sizes) > 1:
            raise ValueError(
                f"sample {results['token']}: cameras of a sample must have one size after the image transforms, got "
                f'{sorted(sizes)}; resize to a fixed size with ResizeCropCameras(size=...)'
            )
        results['img'] = images
        results['lidar2img'] = np.stack(
            [np.stack(list(map(lidar2img_matrix, frame['cam2img'], frame['lidar2cam']))) for frame in queue]
        ).astype(np.float32)
        current = queue[-1]
        results['cam2img'] = np.stack(current['cam2img'])
        results['lidar2cam'] = np.stack(current['lidar2cam'])
        results['img_shape'] = [image.shape[:2] for image in current['img']]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(transforms={self.transforms})'
