# The numbers of the CPU-sized configs, made for the `demo` preset of tools/make_synthetic_nuscenes.py: six images of
# 64 x 176, 51.2 m square, 32 x 32 cells of 1.6 m, 64 channels, 64 queries.
cpu_range = [-25.6, -25.6, -5.0, 25.6, 25.6, 3.0]
cpu_grid = dict(point_cloud_range=cpu_range, rows=32, cols=32)
cpu_decoder = dict(num_layers=2, num_heads=4, num_points=4, feedforward_channels=128, dropout=0.0)
cpu_coder = dict(post_center_range=[-30.6, -30.6, -10.0, 30.6, 30.6, 10.0], max_num=100)
# Training only, the same on every row: without it a decoder of this size has not converged when the demo ends.
cpu_aux_heatmap = dict(_delete_=True, share_channels=64, head_channels=32, num_convs=2, detach_input=False)

# Public weights fit no backbone of this size: all start from random numbers.
cpu_neck = dict(
    in_channels=[64],
    out_channels=64,
    num_outs=1,
    init_cfg=dict(_delete_=True, type='Xavier', layer='Conv2d', distribution='uniform'),
)
cpu_student = dict(
    img_backbone=dict(
        depth=18,
        base_channels=16,
        num_stages=3,
        strides=(1, 2, 1),
        dilations=(1, 1, 1),
        out_indices=(2,),
        frozen_stages=-1,
        norm_cfg=dict(requires_grad=True),
        norm_eval=False,
        dcn=None,
        stage_with_dcn=(False, False, False),
        init_cfg=None,
    ),
    img_neck=cpu_neck,
    pts_bbox_head=dict(
        grid=cpu_grid,
        num_queries=64,
        embed_dims=64,
        encoder=dict(num_layers=2, num_heads=4, num_levels=1, num_sampling_points=4, feedforward_channels=128, dropout=0.0),
        decoder=cpu_decoder,
        num_output_convs=2,
        aux_heatmap=cpu_aux_heatmap,
        coder=cpu_coder,
    ),
)
cpu_voxel_size = [0.4, 0.4, 8.0]
cpu_voxels = dict(
    voxel_layer=dict(
        max_num_points=10, voxel_size=cpu_voxel_size, max_voxels=(8000, 8000), point_cloud_range=cpu_range
    )
)
cpu_teacher = dict(
    pts_voxel_encoder=dict(feat_channels=[32], voxel_size=cpu_voxel_size, point_cloud_range=cpu_range),
    pts_middle_encoder=dict(in_channels=32, output_shape=[128, 128]),
    pts_backbone=dict(in_channels=32, out_channels=[32, 64], layer_nums=[1, 3], layer_strides=[2, 2]),
    pts_neck=dict(in_channels=[32, 64], out_channels=64, start_level=1, num_outs=1),
    pts_bbox_head=dict(
        grid=cpu_grid,
        num_queries=64,
        embed_dims=64,
        num_levels=1,
        # The student's form of decoder, so that the student can start from it.
        reference_dims=3,
        encoder=None,
        decoder=cpu_decoder,
        aux_heatmap=cpu_aux_heatmap,
        coder=cpu_coder,
        loss=dict(matcher=dict(reg_cost=dict(weight=0.25)), loss_bbox=dict(loss_weight=0.25)),
    ),
)

# Hue and channel swaps would hide what tells the classes apart here.
cpu_train_pipeline = dict(
    images=dict(transforms=dict(photometric=None, resize=dict(scale=1.0))),
    points_sweeps=dict(sweeps_num=1),
    points_range=dict(point_cloud_range=cpu_range),
    boxes_range=dict(point_cloud_range=cpu_range),
)
cpu_test_pipeline = dict(
    images=dict(transforms=dict(resize=dict(scale=1.0))),
    points_sweeps=dict(sweeps_num=1),
    points_range=dict(point_cloud_range=cpu_range),
)
cpu_root = 'data/synthetic/'
cpu_train_data = dict(data_root=cpu_root, pipeline=cpu_train_pipeline)
cpu_train_dataloader = dict(
    batch_size=4, num_workers=2, sampler=dict(infinite=True), dataset=dict(dataset=cpu_train_data)
)
cpu_test_dataloader = dict(
    batch_size=8, num_workers=2, dataset=dict(data_root=cpu_root, pipeline=cpu_test_pipeline)
)
# Students with history: the current frame and the two before it, in even steps. Velocities weigh ten times as much as at
# full scale: a short training learns none otherwise.
cpu_queue_length = 3
cpu_code_weights = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0]
cpu_temporal_student = {
    **cpu_student,
    'queue_length': cpu_queue_length,
    'pts_bbox_head': dict(code_weights=cpu_code_weights, **cpu_student['pts_bbox_head']),
}
cpu_temporal_train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    sampler=dict(infinite=True),
    dataset=dict(dataset=dict(queue_length=cpu_queue_length, queue_rule='consecutive', **cpu_train_data)),
)
# The range that the model sees holds the circle of 25 m around the car and no more.
cpu_evaluator = dict(data_root=cpu_root, class_range=25.0)

# Iterations in place of epochs; the rate starts at a third, is full after 50 iterations and ends at a thousandth.
cpu_optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(custom_keys=dict(img_backbone=dict(lr_mult=1.0))),
    clip_grad=dict(max_norm=5),
)
cpu_param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, eta_min_ratio=1e-3),
]
cpu_default_hooks = dict(checkpoint=dict(interval=200, by_epoch=False, max_keep_ckpts=2))
# Samples per step that the rate is for; tools/train.py --auto-scale-lr scales it to those of a run.
cpu_auto_scale_lr = dict(base_batch_size=4)
