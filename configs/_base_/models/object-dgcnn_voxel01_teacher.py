# The voxel teacher of BEVDistill: dynamic voxels with a learned encoder, multi-head attention in place of the graph
# attention, a wider feed-forward network, an auxiliary class heatmap.
_base_ = './object-dgcnn_voxel01.py'

teacher_voxels = dict(
    _delete_=True,
    voxel=True,
    voxel_type='dynamic',
    voxel_layer=dict(
        max_num_points=-1,
        voxel_size=_base_.teacher_voxel_size,
        max_voxels=(-1, -1),
        point_cloud_range=_base_.teacher_range,
    ),
)
teacher = dict(
    pts_voxel_encoder=dict(
        _delete_=True,
        type='ScatterVFE',
        in_channels=5,
        feat_channels=[64, 64],
        voxel_size=_base_.teacher_voxel_size,
        point_cloud_range=_base_.teacher_range,
        norm_cfg=dict(type='BN1d', eps=1e-3, momentum=0.01),
    ),
    pts_middle_encoder=dict(in_channels=64),
    pts_bbox_head=dict(
        encoder=dict(feedforward_channels=1024),
        decoder=dict(feedforward_channels=1024, self_attention=None),
        aux_heatmap=dict(_delete_=True, share_channels=256, head_channels=64, num_convs=3, detach_input=True),
        loss=dict(
            type='SetLoss',
            matcher=dict(type='HungarianMatcher', reg_cost=dict(type='BoxCodeL1Cost', weight=0.5)),
            loss_bbox=dict(type='mmdet.L1Loss', loss_weight=0.5),
        ),
    ),
)
