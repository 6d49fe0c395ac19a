# Learning by heart one drive of one's own data: the pillar teacher.
#
# Command   bevdistill train configs/overfit/teacher_pillar02_dgp.py
# Hardware  1 CPU core.
# Result    see docs/own_data.md: measured here.
_base_ = ['../synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py', '_base_/dgp.py']

class_names = _base_.own_classes
model = dict(data_preprocessor=_base_.own_voxels, **_base_.own_teacher)
own_sensors = dict(modality=dict(use_camera=False, use_lidar=True))
train_dataloader = dict(
    **_base_.own_loader, dataset=dict(dataset=dict(_delete_=True, **_base_.own_train_data, **own_sensors))
)
val_dataloader = dict(**_base_.own_loader, dataset=dict(_delete_=True, **_base_.own_test_data, **own_sensors))
test_dataloader = val_dataloader
val_evaluator = _base_.own_evaluator
test_evaluator = _base_.own_evaluator
train_cfg = dict(max_iters=400, val_interval=50)
default_hooks = _base_.own_hooks
