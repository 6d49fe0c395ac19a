# Distillation on one drive of one's own data: the pillar teacher that learned it teaches the small BEVFormer.
#
# Command   bevdistill train configs/overfit/bevdistill_r50_dgp.py --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/overfit/teacher_pillar02_dgp.py
# Hardware  1 CPU core.
# Result    see docs/own_data.md: measured here.
_base_ = ['../synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py', '_base_/dgp.py']

class_names = _base_.own_classes
model = dict(
    student=_base_.own_student,
    teacher=_base_.own_teacher,
    class_names=_base_.own_classes,
    data_preprocessor=_base_.own_voxels,
)
own_sensors = dict(modality=dict(use_camera=True, use_lidar=True))
own_cameras_alone = dict(modality=dict(use_camera=True, use_lidar=False))
train_dataloader = dict(
    **_base_.own_loader, dataset=dict(dataset=dict(_delete_=True, **_base_.own_train_data, **own_sensors))
)
val_dataloader = dict(**_base_.own_loader, dataset=dict(_delete_=True, **_base_.own_test_data, **own_cameras_alone))
test_dataloader = val_dataloader
val_evaluator = _base_.own_evaluator
test_evaluator = _base_.own_evaluator
train_cfg = dict(max_iters=100, val_interval=50)
default_hooks = _base_.own_hooks
