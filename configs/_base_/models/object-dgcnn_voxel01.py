# Object-DGCNN in its voxel form as published: hard voxels of 0.1 x 0.1 x 0.2 m, each the mean of its points, SECOND's
# sparse encoder, SECOND, FPN with four levels, two deformable encoder layers, six decoder layers with graph attention,
# 300 queries.
teacher_range = [-51.2, -51.2, -5.0, 51.2, 51.2, 3.0]
teacher_voxel_size = [0.1, 0.1, 0.2]
teacher_voxels = dict(
    voxel=True,
    voxel_type='hard',
    voxel_layer=dict(
        max_num_points=10,
        voxel_size=teacher_voxel_size,
        max_voxels=(90000, 120000),
        point_cloud_range=teacher_range,
    ),
)
teacher = dict(
    type='ObjectDGCNN',
    pts_voxel_encoder=dict(type='HardSimpleVFE', num_features=5),
    pts_middle_encoder=dict(
        type='PortableSparseEncoder',
        in_channels=5,
        # z, y, x; one more than 8 m / 0.2 m, so that the four halvings of the height come out at 2.
        sparse_shape=[41, 1024, 1024],
        output_channels=128,
        order=('conv', 'norm', 'act'),
        encoder_channels=((16, 16, 32), (32, 32, 64), (64, 64, 128), (128, 128)),
        encoder_paddings=((0, 0, 1), (0, 0, 1), (0, 0, [0, 1, 1]), (0, 0)),
        block_type='basicblock',
        norm_cfg=dict(type='BN1d', eps=1e-3, momentum=0.01),
    ),
    pts_backbone=dict(
        type='SECOND',
        in_channels=256,
        out_channels=[128, 256],
        layer_nums=[5, 5],
        layer_strides=[1, 2],
        norm_cfg=dict(type='BN2d', eps=1e-3, momentum=0.01),
        conv_cfg=dict(type='Conv2d', bias=False),
    ),
    pts_neck=dict(
        type='mmdet.FPN',
        in_channels=[128, 256],
        out_channels=256,
        start_level=0,
        num_outs=4,
        norm_cfg=dict(type='BN2d', eps=1e-3, momentum=0.01),
        act_cfg=dict(type='ReLU'),
    ),
    pts_bbox_head=dict(
        type='ObjectDGCNNHead',
        grid=dict(point_cloud_range=teacher_range, rows=128, cols=128),
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
        aux_heatmap=None,
        coder=dict(type='NMSFreeCoder', post_center_range=[-61.2, -61.2, -10.0, 61.2, 61.2, 10.0], max_num=300),
    ),
)
