# CPU-sized config of the student with CenterPoint for a teacher, for the synthetic nuScenes of preset `demo`.
#
# Command   python tools/train.py projects/centerpoint/configs/synthetic/centerpoint_r50_1x_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from projects/centerpoint/configs/synthetic/centerpoint_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    Not measured here yet.
# Note      Nothing is inherited from this teacher, which has no decoder; to be compared with rows that inherit nothing.
_base_ = ['../centerpoint_r50_1x_nus-3d.py', './_base_/centerpoint_pillar02.py']

model = dict(
    student=_base_.cpu_student,
    teacher=_base_.cpu_centerpoint_teacher,
    data_preprocessor=_base_.cpu_distiller.data_preprocessor,
    # An eighth of the channels, eight times the weight: an error per channel counts the same.
    losses=dict(dense=dict(adapter=dict(student_channels=64, teacher_channels=64), weight=0.08)),
)
train_dataloader = _base_.cpu_train_dataloader
val_dataloader = _base_.cpu_test_dataloader
test_dataloader = _base_.cpu_test_dataloader
val_evaluator = _base_.cpu_evaluator
test_evaluator = _base_.cpu_evaluator
optim_wrapper = _base_.cpu_optim_wrapper
param_scheduler = _base_.cpu_param_scheduler
default_hooks = _base_.cpu_default_hooks
log_processor = dict(by_epoch=False)
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=350, val_begin=1, val_interval=350)
