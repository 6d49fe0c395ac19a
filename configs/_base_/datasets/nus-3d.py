# nuScenes with six cameras and LiDAR in training, as distillation needs, and with the student's cameras alone in
# validation and testing, as a submission then declares. nus-3d_camera.py and nus-3d_lidar.py load one sensor throughout.
#
# Pipelines are mappings of named stages, so that a config, or --cfg-options, changes a number without repeating a list,
# as in train_dataloader.dataset.dataset.pipeline.points_sweeps.sweeps_num=2.
# Stages that begin with `images` need modality.use_camera, those with `points` modality.use_lidar. None removes one.
dataset_type = 'SequenceNuScenesDataset'
data_root = 'data/nuscenes/'
point_cloud_range = [-51.2, -51.2, -5.0, 51.2, 51.2, 3.0]
class_names = [
    'car', 'truck', 'trailer', 'bus', 'construction_vehicle', 'bicycle', 'motorcycle', 'pedestrian', 'traffic_cone',
    'barrier'
]
metainfo = dict(classes=class_names)
input_modality = dict(use_camera=True, use_lidar=True)
test_modality = dict(use_camera=True, use_lidar=False)

train_pipeline = dict(
    images=dict(
        type='ImageQueue',
        transforms=dict(
            load=dict(type='LoadCameraImages'),
            # Drawn for each camera and each frame anew, as BEVFormer does.
            photometric=dict(
                type='MultiViewWrapper',
                transforms=[dict(type='PhotoMetricDistortion3D')],
                override_aug_config=False,
                process_fields=['img'],
                collected_keys=[]),
            resize=dict(type='ResizeCropCameras', scale=1.0))),
    points=dict(type='LoadLidarPoints'),
    points_sweeps=dict(type='LoadLidarSweeps', sweeps_num=9, pad_empty_sweeps=True, remove_close=True),
    boxes=dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
    # Places for the augmentation of nus-3d_lidar_cbgs.py, which cameras do not follow.
    points_turn=None,
    points_flip=None,
    points_range=dict(type='PointsRangeFilter', point_cloud_range=point_cloud_range),
    boxes_range=dict(type='ObjectRangeFilter', point_cloud_range=point_cloud_range),
    points_shuffle=dict(type='PointShuffle'),
    pack=dict(type='PackBEVInputs'))

test_pipeline = dict(
    images=dict(
        type='ImageQueue',
        transforms=dict(
            load=dict(type='LoadCameraImages'),
            resize=dict(type='ResizeCropCameras', scale=1.0))),
    points=dict(type='LoadLidarPoints'),
    points_sweeps=dict(
        type='LoadLidarSweeps', sweeps_num=9, pad_empty_sweeps=True, remove_close=True, test_mode=True),
    points_range=dict(type='PointsRangeFilter', point_cloud_range=point_cloud_range),
    pack=dict(type='PackBEVInputs'))

# 8 GPUs x 1 sample, as BEVFormer and BEVDistill were trained.
train_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    # Seeded by draw: the same batches with any number of workers, and after a resume.
    sampler=dict(type='SeededSampler', shuffle=True, infinite=False),
    dataset=dict(
        type='SeededDataset',
        dataset=dict(
            type=dataset_type,
            data_root=data_root,
            ann_file='nuscenes_infos_train.msgpack.gz',
            pipeline=train_pipeline,
            metainfo=metainfo,
            modality=input_modality,
            queue_length=1,
            use_valid_flag=True,
            test_mode=False)))
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='nuscenes_infos_val.msgpack.gz',
        pipeline=test_pipeline,
        metainfo=metainfo,
        modality=test_modality,
        use_valid_flag=True,
        test_mode=True))
test_dataloader = val_dataloader

val_evaluator = dict(
    type='BEVNuScenesMetric',
    data_root=data_root,
    ann_file='nuscenes_infos_val.msgpack.gz',
    class_range=None,
    use_external=False)
test_evaluator = val_evaluator
