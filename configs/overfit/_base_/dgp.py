# Learning by heart the cars of one's own data (docs/own_data.md): two drives of the DGP format, with other cameras and
# classes than nuScenes. One class, its categories, three cameras in front, no sweeps, no CAN bus.
own_root = 'data/dgp/'
own_range = [-51.2, -51.2, -5.0, 51.2, 51.2, 3.0]
own_classes = ['car']
own_categories = {'Car': 'car'}
own_cameras = ['CAMERA_05', 'CAMERA_01', 'CAMERA_06']

own_grid = dict(point_cloud_range=own_range, rows=64, cols=64)
own_coder = dict(post_center_range=[-61.2, -61.2, -10.0, 61.2, 61.2, 10.0], max_num=150)
own_head = dict(grid=own_grid, coder=own_coder, num_classes=len(own_classes), num_queries=150)
own_student = dict(pts_bbox_head=dict(num_cams=len(own_cameras), **own_head))
own_teacher = dict(
    pts_voxel_encoder=dict(point_cloud_range=own_range),
    pts_middle_encoder=dict(output_shape=[256, 256]),
    pts_bbox_head=own_head,
)
own_voxels = dict(voxel_layer=dict(point_cloud_range=own_range, max_num_points=20, max_voxels=(20000, 20000)))

# Cameras of one sample need one size; 256 x 400 keeps the shape of 1216 x 1936.
own_images = dict(
    type='ImageQueue',
    transforms=dict(load=dict(type='LoadCameraImages'), resize=dict(type='ResizeCropCameras', size=(256, 400))),
)
own_points = dict(
    points=dict(type='LoadLidarPoints'),
    points_sweeps=dict(type='LoadLidarSweeps', sweeps_num=0),
    points_range=dict(type='PointsRangeFilter', point_cloud_range=own_range),
)
own_boxes = dict(
    boxes=dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
    boxes_range=dict(type='ObjectRangeFilter', point_cloud_range=own_range),
)
own_data = dict(
    type='SequenceNuScenesDataset',
    data_root=own_root,
    ann_file='own_infos_train.msgpack.gz',
    metainfo=dict(classes=own_classes),
    categories=own_categories,
    cameras=own_cameras,
    use_valid_flag=True,
)
own_pack = dict(pack=dict(type='PackBEVInputs'))
own_train_data = dict(pipeline=dict(images=own_images, **own_points, **own_boxes, **own_pack), **own_data)
own_test_data = dict(pipeline=dict(images=own_images, **own_points, **own_pack), test_mode=True, **own_data)

# The drive that was learned is scored.
own_evaluator = dict(
    _delete_=True,
    type='BEVDetectionMetric',
    data_root=own_root,
    ann_file='own_infos_train.msgpack.gz',
    point_cloud_range=own_range,
)
own_loader = dict(batch_size=3, num_workers=0, persistent_workers=False)
own_hooks = dict(logger=dict(interval=20, log_metric_by_epoch=False), checkpoint=dict(interval=100, max_keep_ckpts=1))
