# Overfitting one real keyframe: the pillar teacher, a proof that data, targets, losses and decoding fit each other.
#
# Command   python -m docs.experiments.overfit_keyframe KEYFRAME_FOLDER --model pillar --out FOLDER
# Hardware  1 CPU core.
# Result    see docs/results/overfit.md: measured here.
_base_ = ['../synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py', '_base_/keyframe.py']

model = dict(
    data_preprocessor=dict(
        voxel_layer=dict(point_cloud_range=_base_.keyframe_range, max_num_points=20, max_voxels=(20000, 20000))
    ),
    pts_voxel_encoder=dict(point_cloud_range=_base_.keyframe_range),
    pts_middle_encoder=dict(output_shape=[256, 256]),
    pts_bbox_head=dict(grid=_base_.keyframe_grid, coder=_base_.keyframe_coder),
)
keyframe_lidar = dict(metainfo=_base_.metainfo, modality=dict(use_camera=False, use_lidar=True))
train_dataloader = dict(
    **_base_.keyframe_loader, dataset=dict(dataset=dict(_delete_=True, **_base_.keyframe_train_data, **keyframe_lidar))
)
val_dataloader = dict(
    **_base_.keyframe_loader, dataset=dict(_delete_=True, **_base_.keyframe_test_data, **keyframe_lidar)
)
test_dataloader = val_dataloader
train_cfg = dict(max_iters=400, val_interval=20)
default_hooks = _base_.keyframe_hooks
