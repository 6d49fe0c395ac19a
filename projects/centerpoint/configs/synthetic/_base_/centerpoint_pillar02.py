# The numbers of the CPU-sized CenterPoint: pillars of 0.4 m, 32 x 32 cells of 1.6 m, 64 channels.
_base_ = '../../../../../configs/synthetic/_base_/cpu_distiller.py'

cpu_centerpoint_limits = [-30.6, -30.6, -10.0, 30.6, 30.6, 10.0]
cpu_centerpoint = dict(
    grid=_base_.cpu_grid,
    pts_voxel_encoder=_base_.cpu_teacher.pts_voxel_encoder,
    pts_middle_encoder=_base_.cpu_teacher.pts_middle_encoder,
    pts_backbone=_base_.cpu_teacher.pts_backbone,
    pts_neck=dict(in_channels=[32, 64], out_channels=[32, 32], upsample_strides=[0.5, 1]),
    pts_bbox_head=dict(
        in_channels=64,
        share_conv_channel=32,
        bbox_coder=dict(
            pc_range=_base_.cpu_range[:2],
            post_center_range=cpu_centerpoint_limits,
            max_num=100,
            out_size_factor=4,
            voxel_size=_base_.cpu_voxel_size[:2],
        ),
    ),
    train_cfg=dict(
        pts=dict(
            grid_size=[128, 128, 1],
            voxel_size=_base_.cpu_voxel_size,
            out_size_factor=4,
            point_cloud_range=_base_.cpu_range,
            max_objs=100,
        )
    ),
    test_cfg=dict(pts=dict(post_center_limit_range=cpu_centerpoint_limits)),
)
# As a teacher it has pillars where the full-scale one has voxels, as BEVDistill's CPU-sized teacher has.
cpu_centerpoint_teacher = {
    **cpu_centerpoint,
    'pts_voxel_encoder': _base_.cpu_pillar_teacher.pts_voxel_encoder,
    'pts_middle_encoder': _base_.cpu_pillar_teacher.pts_middle_encoder,
}
