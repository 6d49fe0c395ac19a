# CPU-sized config: teacher boxes and distillation losses on unlabelled frames, for the synthetic nuScenes of preset `demo`,
# of whose 200 scenes 25 are labelled (200 of 1,600 frames).
#
# Command   python tools/train.py configs/synthetic/bevdistill/bevdistill_r50_1x_unlabelled_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from ../object_dgcnn/teacher_pillar02_few-labels_nus-3d.py (the same labels) or
#           ../object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py (all labels)
# Hardware  2 CPU cores.
# Result    not measured here yet.
# Note      Each batch has 2 labelled and 2 unlabelled frames. Starting from the teacher's head, a switch of its own, is off.
_base_ = ['../../bevdistill/bevdistill_r50_1x_unlabelled_nus-3d.py', '../_base_/cpu_distiller.py']

model = dict(student=_base_.cpu_student, **{**_base_.cpu_distiller, 'init_from_teacher': False})
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
optim_wrapper = _base_.cpu_optim_wrapper
auto_scale_lr = _base_.cpu_auto_scale_lr
param_scheduler = _base_.cpu_param_scheduler
default_hooks = _base_.cpu_default_hooks
log_processor = dict(by_epoch=False)
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=1000, val_begin=1, val_interval=1000)
