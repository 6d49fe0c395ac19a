# The numbers of the CPU-sized configs of the published and of the voxel detectors, beside those of cpu.py.
_base_ = './cpu.py'

# As published: graph attention and encoder stay, on two levels; heads need a finest level of 32 x 32 cells.
cpu_published_head = dict(
    grid=_base_.cpu_grid,
    num_queries=64,
    embed_dims=64,
    num_levels=2,
    encoder=dict(num_layers=1, num_heads=4, feedforward_channels=128, dropout=0.0),
    decoder=dict(**_base_.cpu_decoder, self_attention=dict(num_neighbours=8, dropout=0.0)),
    coder=_base_.cpu_coder,
)
cpu_published_pillar02 = {
    **_base_.cpu_teacher,
    'pts_neck': dict(in_channels=[32, 64], out_channels=64, start_level=1, num_outs=2),
    'pts_bbox_head': cpu_published_head,
}

# Voxels of 0.2 m, which the sparse encoder's three halvings bring to 32 x 32 cells of 1.6 m, and fewer channels.
cpu_voxel01_size = [0.2, 0.2, 0.2]
cpu_voxel01_layer = dict(voxel_size=cpu_voxel01_size, point_cloud_range=_base_.cpu_range)
cpu_sparse_encoder = dict(
    sparse_shape=[41, 256, 256],
    base_channels=8,
    output_channels=32,
    encoder_channels=((8, 8, 8), (8, 8, 16), (16, 16, 32), (32, 32)),
)
cpu_voxel01_backbone = dict(in_channels=64, out_channels=[32, 64], layer_nums=[1, 1])
cpu_voxel01_neck = dict(in_channels=[32, 64], out_channels=64, num_outs=2)

# Hard voxels, published head.
cpu_published_voxels = dict(voxel_layer=dict(max_voxels=(16000, 16000), **cpu_voxel01_layer))
cpu_published_voxel01 = dict(
    pts_middle_encoder=cpu_sparse_encoder,
    pts_backbone=cpu_voxel01_backbone,
    pts_neck=cpu_voxel01_neck,
    pts_bbox_head=cpu_published_head,
)
# Dynamic voxels, the teacher's head.
cpu_teacher_voxels = dict(voxel_layer=cpu_voxel01_layer)
cpu_teacher_voxel01 = dict(
    pts_voxel_encoder=dict(feat_channels=[16, 16], **cpu_voxel01_layer),
    pts_middle_encoder=dict(in_channels=16, **cpu_sparse_encoder),
    pts_backbone=cpu_voxel01_backbone,
    pts_neck=cpu_voxel01_neck,
    pts_bbox_head={**_base_.cpu_teacher.pts_bbox_head, 'num_levels': 2},
)
