from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.structures import InstanceData

from bevdistill.datasets import BEVDataPreprocessor
from bevdistill.datasets.photometric import distort
from bevdistill.structures import Targets

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
VOXELS = {
    'voxel': True,
    'voxel_layer': {
        'max_num_points': 4,
        'max_voxels': 100,
        'voxel_size': [2.0, 2.0, 8.0],
        'point_cloud_range': [-10.0, -10.0, -5.0, 10.0, 10.0, 3.0],
    },
}


def batch(*shapes: tuple[int, ...], points: bool = True) -> dict[str, Any]:
    inputs: dict[str, Any] = {'img': [torch.randint(0, 255, shape, dtype=torch.uint8) for shape in shapes]}
    if points:
        inputs['points'] = [torch.rand(30 + i, 5) * 10 for i in range(len(shapes))]
    return {'inputs': inputs, 'data_samples': [Det3DDataSample() for _ in shapes]}


def test_each_image_is_normalised_and_padded_as_if_alone() -> None:
    data = batch((2, 3, 3, 20, 40), (2, 3, 3, 17, 33))
    images = [image.float() for image in data['inputs']['img']]
    processed = BEVDataPreprocessor(mean=MEAN, std=STD, bgr_to_rgb=True, pad_size_divisor=16)(data)
    imgs = processed['inputs']['imgs']
    assert imgs.shape == (2, 2, 3, 3, 32, 48)
    for b, image in enumerate(images):
        height, width = image.shape[-2:]
        for t in range(2):
            for n in range(3):
                for rgb, (mean, std) in enumerate(zip(MEAN, STD, strict=True)):
                    expected = torch.zeros(32, 48)
                    expected[:height, :width] = (image[t, n, 2 - rgb] - mean) / std
                    torch.testing.assert_close(imgs[b, t, n, rgb], expected)
    for sample, pad_shape in zip(processed['data_samples'], [(32, 48), (32, 48)], strict=True):
        assert sample.batch_input_shape == (32, 48)
        assert sample.pad_shape == pad_shape


def test_caffe_normalisation_keeps_bgr() -> None:
    data = batch((1, 1, 3, 4, 4))
    image = data['inputs']['img'][0].float()
    imgs = BEVDataPreprocessor(mean=[103.53, 116.28, 123.675], std=[1.0, 1.0, 1.0])(data)['inputs']['imgs']
    torch.testing.assert_close(imgs[0, 0, 0, 2], image[0, 0, 2] - 123.675)


def test_lidar_alone() -> None:
    data = batch((1, 1, 3, 4, 4), (1, 1, 3, 4, 4))
    del data['inputs']['img']
    inputs = BEVDataPreprocessor(**VOXELS)(data)['inputs']
    assert set(inputs) == {'points', 'voxels'}
    assert [len(points) for points in inputs['points']] == [30, 31]
    voxels = inputs['voxels']
    assert voxels['voxels'].shape[1:] == (4, 5)
    assert set(voxels['coors'][:, 0].tolist()) == {0, 1}
    # One point of sample 1 lies in the voxel (z, y, x) that its coordinates say.
    occupied = {tuple(c) for c in voxels['coors'][voxels['coors'][:, 0] == 1][:, 1:].tolist()}
    x, y, z = inputs['points'][1][0, :3].tolist()
    if z < 3:
        assert (int((z + 5) // 8), int((y + 10) // 2), int((x + 10) // 2)) in occupied


def test_a_sample_without_points() -> None:
    data = {'inputs': {'points': [torch.zeros(0, 5), torch.rand(3, 5)]}, 'data_samples': [Det3DDataSample()] * 2}
    voxels = BEVDataPreprocessor(**VOXELS)(data)['inputs']['voxels']
    assert set(voxels['coors'][:, 0].tolist()) == {1}


def test_cameras_alone_need_no_voxels() -> None:
    inputs = BEVDataPreprocessor(mean=MEAN, std=STD, **VOXELS)(batch((1, 6, 3, 8, 8), points=False))['inputs']
    assert set(inputs) == {'imgs'}


def test_grid_mask_covers_the_current_frame_in_training_only() -> None:
    options = {'mean': [0.0] * 3, 'std': [1.0] * 3, 'grid_mask': {'ratio': 0.5, 'prob': 1.0}}
    preprocessor = MODELS.build({'type': 'BEVDataPreprocessor', **options})
    data = batch((3, 2, 3, 16, 24))
    data['inputs']['img'][0].clamp_(min=1)
    plain = preprocessor(data, False)['inputs']['imgs']
    assert (plain != 0).all()
    data = batch((3, 2, 3, 16, 24))
    data['inputs']['img'][0].clamp_(min=1)
    masked = preprocessor(data, True)['inputs']['imgs']
    assert (masked[:, :2] != 0).all()
    dropped = masked[:, 2] == 0
    assert dropped.any()
    assert not dropped.all()
    assert (dropped == dropped[0, 0, 0]).all(), 'one mask for all images of the call'


def test_images_are_distorted_in_training_only_each_by_itself() -> None:
    preprocessor = BEVDataPreprocessor(photometric={})
    image = torch.randint(1, 256, (1, 1, 3, 8, 9), dtype=torch.uint8).expand(2, 3, -1, -1, -1)

    def process(image: torch.Tensor, training: bool) -> torch.Tensor:
        torch.manual_seed(0)
        return preprocessor({'inputs': {'img': [image]}}, training)['inputs']['imgs']

    torch.testing.assert_close(process(image, False)[0], image.float())
    found = process(image, True)
    torch.manual_seed(0)
    want = distort(image.flatten(0, 1), preprocessor.photometric.draw(6))
    torch.testing.assert_close(found.flatten(0, 2), want)
    assert not torch.equal(found[0, 0, 0], found[0, 1, 2])
    with pytest.raises(ValueError, match=r'wants images as bytes, got torch.float32: the pipeline has distorted them'):
        process(image.float(), True)
    assert process(image.float(), False).dtype == torch.float32


def test_the_inputs_are_left_as_they_were() -> None:
    data = batch((1, 2, 3, 8, 8))
    image = data['inputs']['img'][0]
    before = image.clone()
    BEVDataPreprocessor(mean=MEAN, std=STD, grid_mask={'prob': 1.0})(data, True)
    torch.testing.assert_close(image, before)


@pytest.mark.parametrize('shape', [(6, 3, 8, 8), (1, 6, 8, 8, 3)])
def test_other_layouts_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r'must be \(T, N, 3, h, w\), got'):
        BEVDataPreprocessor(mean=MEAN, std=STD)(batch(shape))


def test_queues_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r'agree in frames and cameras \(T, N\), got \(1, 6\) and \(2, 6\)'):
        BEVDataPreprocessor(mean=MEAN, std=STD)(batch((1, 6, 3, 8, 8), (2, 6, 3, 8, 8)))


def test_augmented_batches_are_processed_one_by_one() -> None:
    data = [batch((1, 2, 3, 8, 8)), batch((1, 2, 3, 8, 8))]
    out = BEVDataPreprocessor(mean=MEAN, std=STD)(data)
    assert [item['inputs']['imgs'].shape for item in out] == [torch.Size((1, 1, 2, 3, 8, 8))] * 2
    np.testing.assert_equal(out[0]['data_samples'][0].batch_input_shape, (8, 8))


def test_voxels_are_counted_before_points_leave_the_host() -> None:
    data = batch((1, 1, 3, 4, 4), (1, 1, 3, 4, 4))
    del data['inputs']['img']
    preprocessor = BEVDataPreprocessor(**VOXELS)
    points = data['inputs']['points']
    assert preprocessor._count_voxels(points) is None, 'on a CPU the numbers are there anyway'
    coors = preprocessor(data)['inputs']['voxels']['coors']
    preprocessor._device = torch.device('cuda')
    assert preprocessor._count_voxels(points) == torch.bincount(coors[:, 0].long()).tolist()
    assert preprocessor._count_voxels([torch.empty(3, 5, device='meta')]) is None


def test_what_goes_to_the_device_is_not_waited_for_and_sizes_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    data = batch((1, 1, 3, 4, 4))
    boxes = LiDARInstance3DBoxes(torch.tensor([[1.0, 2.0, 0.0, 4.0, 2.0, 1.5, 0.3, 0.0, 0.0]]), box_dim=9)
    data['data_samples'][0].gt_instances_3d = InstanceData(bboxes_3d=boxes, labels_3d=torch.tensor([1]))
    moves: list[Any] = []
    move = torch.Tensor.to

    def watched(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if kwargs:
            moves.append(kwargs.get('non_blocking'))
        return move(tensor, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, 'to', watched)
    samples = BEVDataPreprocessor(mean=MEAN, std=STD)(data)['data_samples']
    assert moves and all(moves)
    assert torch.equal(Targets.from_samples(samples).host_sizes, torch.tensor([[4.0, 2.0]]))
