from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.structures import InstanceData

from bevdistill.datasets.infos import read_infos
from bevdistill.structures import BEVGrid
from bevdistill.structures.cameras import CAMERAS
from bevdistill.visualization.frame import Frame, truth_of, truth_of_info

from .helpers import box_set, front_camera


def _sample(cameras: int = 6, queue: int = 2, **meta: object) -> Det3DDataSample:
    matrices = np.stack([front_camera(cx=float(10 * t)) for t in range(queue)])[:, None].repeat(cameras, axis=1)
    sample = Det3DDataSample()
    sample.set_metainfo(dict(lidar2img=matrices.astype(np.float32), token='abc', **meta))
    return sample


def test_takes_the_current_images_as_rgb() -> None:
    images = torch.zeros(2, 6, 3, 4, 8)
    images[1, :, 0] = 200.0  # blue of the current frame, in BGR order
    frame = Frame.from_item(dict(img=images, points=torch.ones(7, 5)), _sample())
    assert list(frame.images) == list(CAMERAS)
    assert frame.images['CAM_BACK'].shape == (4, 8, 3)
    assert frame.images['CAM_BACK'][0, 0].tolist() == [0, 0, 200]
    assert frame.lidar2img['CAM_FRONT'][0, 1] == pytest.approx(10.0)
    assert frame.points is not None
    assert frame.points.shape == (7, 5)
    assert frame.truth is None
    assert frame.token == 'abc'


def test_images_without_matrices_are_refused() -> None:
    with pytest.raises(ValueError, match="no 'lidar2img'"):
        Frame.from_item(dict(img=torch.zeros(1, 6, 3, 4, 8)), Det3DDataSample())
    with pytest.raises(ValueError, match='2 images but 6 lidar2img'):
        Frame.from_item(dict(img=torch.zeros(1, 2, 3, 4, 8)), _sample())


def test_sensors_may_be_absent_and_are_filled_from_another_view() -> None:
    lidar = Frame.from_item(dict(points=torch.ones(7, 5)), _sample())
    camera = Frame.from_item(dict(img=torch.zeros(1, 6, 3, 4, 8)), _sample(), truth=box_set([[0, 0, 0, 1, 1, 1, 0]]))
    assert lidar.images == {}
    both = lidar.filled_from(camera)
    assert both.points is not None
    assert len(both.images) == 6
    assert both.truth is not None
    assert len(both.truth) == 1


def test_truth_comes_from_the_sample_else_from_the_data_set() -> None:
    boxes = box_set([[1, 2, 3, 1, 1, 1, 0], [9, 9, 9, 1, 1, 1, 0]])
    sample = _sample()
    assert truth_of(sample) is None
    annotations = dict(gt_bboxes_3d=boxes.boxes, gt_labels_3d=np.array([1, -1]))
    known = truth_of_info(dict(eval_ann_info=annotations))
    assert known is not None
    assert known.labels.tolist() == [1]
    sample.gt_instances_3d = InstanceData(bboxes_3d=boxes.boxes, labels_3d=torch.tensor([1, 0]))
    packed = truth_of(sample)
    assert packed is not None
    assert len(packed) == 2
    assert truth_of_info({}) is None


def test_truth_of_a_data_set_fills_what_its_items_lack() -> None:
    class Data:
        def get_data_info(self, index: int) -> dict[str, object]:
            boxes = box_set([[index, 2, 3, 1, 1, 1, 0]]).boxes
            return dict(eval_ann_info=dict(gt_bboxes_3d=boxes, gt_labels_3d=np.array([1])))

        def __getitem__(self, index: int) -> dict[str, object]:
            return dict(inputs=dict(points=torch.ones(7, 5)), data_samples=_sample())

    frame = Frame.from_dataset(Data(), 4)
    assert frame.truth is not None
    assert frame.truth.boxes.tensor[0, 0] == 4
    assert frame.with_truth_of(Data(), 5) is frame


def test_empty_truth_given_by_hand_is_kept() -> None:
    sample = _sample()
    sample.gt_instances_3d = InstanceData(bboxes_3d=box_set([[0, 0, 0, 1, 1, 1, 0]]).boxes, labels_3d=torch.tensor([0]))
    frame = Frame.from_item(dict(points=torch.ones(7, 5)), sample, truth=box_set([]))
    assert frame.truth is not None
    assert len(frame.truth) == 0


def test_targets_have_gravity_centres() -> None:
    frame = Frame('a', truth=box_set([[1, 2, -1, 4, 2, 2, 0]]))
    assert frame.targets().boxes[0][0, :3].tolist() == [1, 2, 0]
    assert len(Frame('a').targets().boxes[0]) == 0


def test_within_keeps_the_grid() -> None:
    grid = BEVGrid((0, 0, -5, 10, 10, 3), 2, 2)
    frame = Frame('a', truth=box_set([[5, 5, 0, 1, 1, 1, 0], [-5, 5, 0, 1, 1, 1, 0]])).within(grid)
    assert frame.truth is not None
    assert len(frame.truth) == 1
    assert Frame('a').within(grid).truth is None


def test_real_keyframe_boxes_meet_their_points(keyframe: Path) -> None:
    """Annotated boxes of a real sample, drawn from above, hold many of the drawn points."""

    from mmdet3d.structures import LiDARInstance3DBoxes

    from bevdistill.visualization import footprints

    info = read_infos(next(keyframe.glob('*.pkl')))['data_list'][0]
    points = np.fromfile(keyframe / info['lidar_points']['lidar_path'], dtype=np.float32).reshape(-1, 5)
    solid = [item for item in info['instances'] if item['num_lidar_pts'] > 50]
    tensor = torch.tensor([item['bbox_3d'] for item in solid], dtype=torch.float32)
    boxes = box_set([]).boxes.__class__(tensor, origin=(0.5, 0.5, 0.5))
    assert isinstance(boxes, LiDARInstance3DBoxes)
    for outline, item in zip(footprints(boxes.corners.numpy()), solid, strict=True):
        edges = np.roll(outline, -1, axis=0) - outline
        offset = points[:, None, :2] - outline[None]
        side = edges[:, 0] * offset[..., 1] - edges[:, 1] * offset[..., 0]
        inside = (side >= 0).all(axis=1) | (side <= 0).all(axis=1)
        assert inside.sum() >= 0.9 * item['num_lidar_pts']


def test_points_of_the_root_fill_pages_of_cameras(tmp_path: Path) -> None:
    points = np.arange(20, dtype=np.float32).reshape(4, 5)
    points.tofile(tmp_path / 'a.bin')
    lidar = dict(lidar_path='a.bin', num_pts_feats=5, points2lidar=np.diag([1.0, -1.0, 1.0, 1.0]).tolist())
    data = SimpleNamespace(data_prefix=dict(pts=str(tmp_path)), get_data_info=lambda index: dict(lidar_points=lidar))
    frame = Frame('a').with_points_of(data, 0)
    assert frame.points is not None
    np.testing.assert_array_equal(frame.points, points * [1, -1, 1, 1, 1])
    assert frame.with_points_of(data, 0) is frame
    for gone in (dict(lidar_path='gone.bin'), {}, None):
        data.get_data_info = lambda index, gone=gone: dict(lidar_points=gone)
        assert Frame('a').with_points_of(data, 0).points is None


def test_cameras_are_named_by_the_sample_nuscenes_or_their_number() -> None:
    """Each keeps its own image and matrix; matrices may come without a queue."""
    images = torch.arange(2.0).view(1, 2, 1, 1, 1).repeat(1, 1, 3, 2, 2)
    sample = Det3DDataSample()
    sample.set_metainfo(dict(lidar2img=np.stack((np.eye(4), 2 * np.eye(4))), sample_idx=7, cameras=['left', 'right']))
    frame = Frame.from_item(dict(img=images), sample)
    assert [(name, int(image.max())) for name, image in frame.images.items()] == [('left', 0), ('right', 1)]
    np.testing.assert_array_equal(frame.lidar2img['right'], 2 * np.eye(4))
    assert frame.token == '7' and frame.points is None
    sample.set_metainfo(dict(cameras=['one alone']))
    assert list(Frame.from_item(dict(img=images), sample).images) == ['camera 0', 'camera 1']


def test_pixels_are_whole_numbers_of_a_byte() -> None:
    images = torch.tensor([-3.0, 300.0, 7.9]).view(1, 1, 3, 1, 1)
    sample = Det3DDataSample()
    sample.set_metainfo(dict(lidar2img=np.eye(4)[None, None]))
    (image,) = Frame.from_item(dict(img=images), sample).images.values()
    assert image.dtype == np.uint8 and image[0, 0].tolist() == [7, 255, 0]


def test_points_keep_their_numbers(tmp_path: Path) -> None:
    """As many for each point as the record says, five where it does not; a file that is gone is left out."""
    np.arange(15, dtype=np.float32).tofile(tmp_path / 'a.bin')
    for lidar, shape in ((dict(num_pts_feats=3), (5, 3)), (dict(), (3, 5)), (dict(lidar_path='gone.bin'), None)):
        record = dict(lidar_points=dict(lidar_path='a.bin') | lidar)
        data = SimpleNamespace(get_data_info=lambda index, record=record: record, data_prefix=dict(pts=str(tmp_path)))
        points = Frame('t').with_points_of(data, 0).points
        assert (None if points is None else points.shape) == shape
    own = np.zeros((1, 5), np.float32)
    assert Frame('t', points=own).with_points_of(data, 0).points is own
