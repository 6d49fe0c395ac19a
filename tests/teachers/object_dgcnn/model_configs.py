"""Model configs of the published pillar detector and of one small enough for a CPU: the same structure."""

from __future__ import annotations

from typing import Any

PUBLISHED_RANGE = [-51.2, -51.2, -5.0, 51.2, 51.2, 3.0]
CPU_RANGE = [-25.6, -25.6, -5.0, 25.6, 25.6, 3.0]
NORM_1D = dict(type='BN1d', eps=1e-3, momentum=0.01)
NORM_2D = dict(type='BN2d', eps=1e-3, momentum=0.01)


def preprocessor(point_cloud_range: list[float], voxel_size: list[float], points: int, voxels: tuple[int, int]) -> dict:
    return dict(
        type='Det3DDataPreprocessor',
        voxel=True,
        voxel_type='hard',
        voxel_layer=dict(
            max_num_points=points, voxel_size=voxel_size, max_voxels=voxels, point_cloud_range=point_cloud_range
        ),
    )


def pillar02() -> dict[str, Any]:
    voxel_size = [0.2, 0.2, 8.0]
    return dict(
        type='ObjectDGCNN',
        data_preprocessor=preprocessor(PUBLISHED_RANGE, voxel_size, 20, (30000, 40000)),
        pts_voxel_encoder=dict(
            type='FlatPillarFeatureNet',
            in_channels=5,
            feat_channels=[64],
            voxel_size=voxel_size,
            point_cloud_range=PUBLISHED_RANGE,
            norm_cfg=NORM_1D,
        ),
        pts_middle_encoder=dict(type='PointPillarsScatter', in_channels=64, output_shape=[512, 512]),
        pts_backbone=dict(
            type='SECOND',
            in_channels=64,
            out_channels=[64, 128, 256],
            layer_nums=[3, 5, 5],
            layer_strides=[2, 2, 2],
            norm_cfg=NORM_2D,
            conv_cfg=dict(type='Conv2d', bias=False),
        ),
        pts_neck=dict(
            type='mmdet.FPN',
            in_channels=[64, 128, 256],
            out_channels=256,
            num_outs=4,
            norm_cfg=NORM_2D,
            act_cfg=dict(type='ReLU'),
        ),
        pts_bbox_head=dict(
            type='ObjectDGCNNHead',
            grid=dict(point_cloud_range=PUBLISHED_RANGE, rows=256, cols=256),
            num_classes=10,
            num_queries=300,
            embed_dims=256,
            num_levels=4,
            reference_dims=2,
            encoder=dict(num_layers=2, num_heads=8, num_points=4, feedforward_channels=512, dropout=0.1),
            decoder=dict(
                num_layers=6,
                num_heads=8,
                num_points=4,
                feedforward_channels=512,
                dropout=0.1,
                self_attention=dict(type='DGCNNAttention', num_neighbours=16, dropout=0.1),
            ),
            loss=dict(type='SetLoss'),
            coder=dict(
                type='NMSFreeCoder', post_center_range=[-61.2, -61.2, -10.0, 61.2, 61.2, 10.0], max_num=300
            ),
        ),
    )


def cpu_demo() -> dict[str, Any]:
    voxel_size = [0.4, 0.4, 8.0]
    return dict(
        type='ObjectDGCNN',
        data_preprocessor=preprocessor(CPU_RANGE, voxel_size, 8, (8000, 8000)),
        pts_voxel_encoder=dict(
            type='FlatPillarFeatureNet',
            in_channels=5,
            feat_channels=[32],
            voxel_size=voxel_size,
            point_cloud_range=CPU_RANGE,
            norm_cfg=NORM_1D,
        ),
        pts_middle_encoder=dict(type='PointPillarsScatter', in_channels=32, output_shape=[128, 128]),
        pts_backbone=dict(
            type='SECOND',
            in_channels=32,
            out_channels=[32, 64],
            layer_nums=[1, 3],
            layer_strides=[2, 2],
            norm_cfg=NORM_2D,
            conv_cfg=dict(type='Conv2d', bias=False),
        ),
        pts_neck=dict(
            type='mmdet.FPN',
            in_channels=[32, 64],
            start_level=1,
            out_channels=64,
            num_outs=1,
            norm_cfg=NORM_2D,
            act_cfg=dict(type='ReLU'),
        ),
        pts_bbox_head=dict(
            type='ObjectDGCNNHead',
            grid=dict(point_cloud_range=CPU_RANGE, rows=32, cols=32),
            num_classes=10,
            num_queries=64,
            embed_dims=64,
            num_levels=1,
            reference_dims=3,
            encoder=None,
            decoder=dict(num_layers=2, num_heads=4, num_points=4, feedforward_channels=128, dropout=0.0),
            aux_heatmap=dict(share_channels=32, head_channels=32, num_convs=2, detach_input=False),
            loss=dict(type='SetLoss'),
            coder=dict(
                type='NMSFreeCoder', post_center_range=[-30.6, -30.6, -10.0, 30.6, 30.6, 10.0], max_num=100
            ),
        ),
    )
