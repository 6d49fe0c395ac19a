# Overfitting one keyframe: the numbers of the CPU-sized configs on the full 102.4 m square, and data without augmentation.
# docs/experiments/overfit_keyframe.py fills in the folder and keeps the boxes with 5 or more LiDAR points.
keyframe_range = [-51.2, -51.2, -5.0, 51.2, 51.2, 3.0]
keyframe_grid = dict(point_cloud_range=keyframe_range, rows=64, cols=64)
keyframe_coder = dict(post_center_range=[-61.2, -61.2, -10.0, 61.2, 61.2, 10.0], max_num=100)

keyframe_images = dict(
    type='ImageQueue',
    transforms=dict(load=dict(type='LoadCameraImages'), resize=dict(type='ResizeCropCameras', scale=0.25)),
)
# A keyframe alone has no sweeps; the stage sets the time lag of its points to zero.
keyframe_points = dict(
    points=dict(type='LoadLidarPoints'),
    points_sweeps=dict(type='LoadLidarSweeps', sweeps_num=0),
    points_range=dict(type='PointsRangeFilter', point_cloud_range=keyframe_range),
)
keyframe_boxes = dict(
    boxes=dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
    boxes_range=dict(type='ObjectRangeFilter', point_cloud_range=keyframe_range),
)
keyframe_train_data = dict(
    type='SequenceNuScenesDataset',
    data_root='',
    ann_file='',
    pipeline=dict(images=keyframe_images, **keyframe_points, **keyframe_boxes, pack=dict(type='PackBEVInputs')),
    use_valid_flag=True,
)
keyframe_test_data = dict(
    type='SequenceNuScenesDataset',
    data_root='',
    ann_file='',
    pipeline=dict(images=keyframe_images, **keyframe_points, pack=dict(type='PackBEVInputs')),
    use_valid_flag=True,
    test_mode=True,
)
keyframe_loader = dict(batch_size=1, num_workers=0, persistent_workers=False)
keyframe_hooks = dict(logger=dict(interval=20, log_metric_by_epoch=False), checkpoint=dict(interval=100, max_keep_ckpts=1))
