# BEVFormer with a ResNet-50, as BEVDistill's student has it (release: R50 with DCNv2 in stages 3 and 4, four levels,
# 128 x 128 cells of 0.8 m, six encoder and six decoder layers, 900 queries), one frame.
#
# Image backbone and neck start from FCOS3D (configs/bevformer/README.md says where to get it). Another file:
# --cfg-options model.img_backbone.init_cfg.checkpoint=FILE model.img_neck.init_cfg.checkpoint=FILE
student_weights = 'checkpoints/fcos3d_r50.pth'
student_preprocessor = dict(
    type='BEVDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_size_divisor=32,
    grid_mask=dict(ratio=0.5, prob=0.7),
)
student = dict(
    type='BEVFormer',
    img_backbone=dict(
        type='mmdet.ResNet',
        depth=50,
        num_stages=4,
        out_indices=(1, 2, 3),
        frozen_stages=1,
        norm_cfg=dict(type='BN2d', requires_grad=False),
        norm_eval=True,
        style='pytorch',
        dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, False, True, True),
        init_cfg=dict(type='Pretrained', checkpoint=student_weights, prefix='img_backbone.'),
    ),
    img_neck=dict(
        type='mmdet.FPN',
        in_channels=[512, 1024, 2048],
        out_channels=256,
        start_level=0,
        add_extra_convs='on_output',
        num_outs=4,
        relu_before_extra_convs=True,
        # FCOS3D has a fifth level.
        init_cfg=dict(
            type='Pretrained',
            checkpoint=student_weights,
            prefix='img_neck.',
            allow_unexpected=['fpn_convs.4.*'],
        ),
    ),
    pts_bbox_head=dict(
        type='BEVFormerHead',
        grid=dict(point_cloud_range=[-51.2, -51.2, -5.0, 51.2, 51.2, 3.0], rows=128, cols=128),
        num_classes=10,
        num_queries=900,
        embed_dims=256,
        num_cams=6,
        encoder=dict(
            num_layers=6,
            num_heads=8,
            num_levels=4,
            num_pillar_points=4,
            num_sampling_points=8,
            num_temporal_points=4,
            feedforward_channels=512,
            dropout=0.1,
        ),
        decoder=dict(num_layers=6, num_heads=8, num_points=4, feedforward_channels=512, dropout=0.1),
        num_output_convs=0,
        aux_heatmap=None,
        coder=dict(type='NMSFreeCoder', post_center_range=[-61.2, -61.2, -10.0, 61.2, 61.2, 10.0], max_num=300),
    ),
)
