"""Configs of BEVFormers small enough for a unit test."""

from __future__ import annotations

RANGE = [-51.2, -51.2, -5.0, 51.2, 51.2, 3.0]
CODER = dict(type='NMSFreeCoder', post_center_range=[-61.2, -61.2, -10.0, 61.2, 61.2, 10.0], max_num=300)


def small(rows: int = 9, cols: int = 13, **head: object) -> dict:
    return dict(
        type='BEVFormer',
        img_backbone=dict(
            type='mmdet.ResNet',
            depth=18,
            base_channels=8,
            num_stages=2,
            strides=(1, 2),
            dilations=(1, 1),
            out_indices=(0, 1),
            norm_eval=True,
        ),
        img_neck=dict(type='mmdet.FPN', in_channels=[8, 16], out_channels=24, num_outs=2),
        pts_bbox_head=dict(
            type='BEVFormerHead',
            grid=dict(point_cloud_range=RANGE, rows=rows, cols=cols),
            embed_dims=24,
            num_queries=11,
            num_cams=3,
            encoder=dict(num_layers=2, num_heads=4, num_levels=2, feedforward_channels=32, dropout=0.0),
            decoder=dict(num_layers=2, num_heads=4, feedforward_channels=32, dropout=0.0),
            coder=CODER,
            **{'aux_heatmap': dict(head_channels=8), 'num_output_convs': 2, **head},
        ),
    )
