# CPU-sized config of the teacher, for the synthetic nuScenes of preset `demo`.
#
# Command   python tools/train.py configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    see docs/results/demo.md: measured here.
# Note      Cosine in place of the published cyclic schedule, and the aux heatmap teaches the backbone too.
_base_ = ['../../object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py', '../_base_/cpu.py']

model = dict(**_base_.cpu_teacher, data_preprocessor=_base_.cpu_voxels)
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    sampler=dict(infinite=True),
    dataset=dict(dataset=dict(dataset=_base_.cpu_train_data)),
)
val_dataloader = _base_.cpu_test_dataloader
test_dataloader = _base_.cpu_test_dataloader
val_evaluator = _base_.cpu_evaluator
test_evaluator = _base_.cpu_evaluator
optim_wrapper = dict(optimizer=dict(lr=2e-3), clip_grad=dict(max_norm=5))
param_scheduler = _base_.cpu_param_scheduler
auto_scale_lr = _base_.cpu_auto_scale_lr
default_hooks = _base_.cpu_default_hooks
log_processor = dict(by_epoch=False)
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=600, val_interval=600)
