# Overfitting one real keyframe: a small single-frame BEVFormer on six images of 225 x 400 pixels, a proof that
# projections, targets, losses and decoding fit each other.
#
# Command   python -m docs.experiments.overfit_keyframe KEYFRAME_FOLDER --model bevformer --out FOLDER
# Hardware  1 CPU core.
# Result    see docs/results/overfit.md: measured here.
_base_ = ['../synthetic/bevformer/bevformer_r50_1x_nus-3d.py', '_base_/keyframe.py']

model = dict(pts_bbox_head=dict(grid=_base_.keyframe_grid, coder=_base_.keyframe_coder))
keyframe_cameras = dict(metainfo=_base_.metainfo, modality=dict(use_camera=True, use_lidar=False))
train_dataloader = dict(
    **_base_.keyframe_loader,
    dataset=dict(dataset=dict(_delete_=True, **_base_.keyframe_train_data, **keyframe_cameras)),
)
val_dataloader = dict(
    **_base_.keyframe_loader, dataset=dict(_delete_=True, **_base_.keyframe_test_data, **keyframe_cameras)
)
test_dataloader = val_dataloader
train_cfg = dict(max_iters=600, val_interval=20)
default_hooks = _base_.keyframe_hooks
