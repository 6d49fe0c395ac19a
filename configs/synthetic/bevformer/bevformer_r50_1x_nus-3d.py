# CPU-sized config of the undistilled student, for the synthetic nuScenes of preset `demo`.
#
# Command   python tools/train.py configs/synthetic/bevformer/bevformer_r50_1x_nus-3d.py
# Hardware  2 CPU cores.
# Result    see docs/results/demo.md: measured here.
_base_ = ['../../bevformer/bevformer_r50_1x_nus-3d.py', '../_base_/cpu.py']

model = dict(**_base_.cpu_student, data_preprocessor=dict(grid_mask=dict(prob=0.0)))
train_dataloader = _base_.cpu_train_dataloader
val_dataloader = _base_.cpu_test_dataloader
test_dataloader = _base_.cpu_test_dataloader
val_evaluator = _base_.cpu_evaluator
test_evaluator = _base_.cpu_evaluator
optim_wrapper = _base_.cpu_optim_wrapper
param_scheduler = _base_.cpu_param_scheduler
auto_scale_lr = _base_.cpu_auto_scale_lr
default_hooks = _base_.cpu_default_hooks
log_processor = dict(by_epoch=False)
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=350, val_interval=350)
