"""Named stages of a test pipeline as the list that mmdet3d's inferencers read."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from bevdistill.detection.listed_pipeline import list_pipeline

STAGES: dict[str, Any] = dict(
    images=dict(type='ImageQueue', transforms=dict(load=dict(type='LoadCameraImages'), drop=None)),
    points_load=dict(type='LoadLidarPoints', load_dim=4),
    points_range=dict(type='PointsRangeFilter'),
    pack=dict(type='Pack3DDetInputs'),
)


def listed(**dataset: Any) -> Any:
    cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=STAGES, **dataset))))
    return list_pipeline(cfg).test_dataloader.dataset


def test_stages_of_sensors_that_are_loaded_in_their_order() -> None:
    """The loader of points is mmdet3d's, with the settings of ours before its defaults."""
    points = dict(type='LoadPointsFromFile', coord_type='LIDAR', load_dim=4, use_dim=5)
    images = dict(type='ImageQueue', transforms=[dict(type='LoadCameraImages')])
    rest = [dict(type='PointsRangeFilter'), dict(type='Pack3DDetInputs')]
    assert listed().pipeline == [images, points, *rest]
    assert listed(modality=dict(use_lidar=True)).pipeline == [points, *rest]
    assert listed(modality=dict(use_camera=True, use_lidar=False)).pipeline == [images, rest[1]]


def test_the_type_of_boxes_is_said_unless_it_was() -> None:
    assert listed().box_type_3d == 'LiDAR' and listed(box_type_3d='Camera').box_type_3d == 'Camera'


def test_other_configs_stay_as_they_are() -> None:
    for content in (dict(), dict(test_dataloader=dict(dataset=dict(pipeline=[dict(type='LoadLidarPoints')])))):
        cfg = Config(content)
        assert list_pipeline(cfg) is cfg and cfg.to_dict() == content
