# CPU-sized twin of the distilled student, for the synthetic nuScenes of preset `demo`.
#
# Command   python tools/train.py configs/synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py
# Hardware  2 CPU cores.
# Result    see docs/results/demo.md: measured here.
_base_ = ['../../bevdistill/bevdistill_r50_1x_nus-3d.py', '../_base_/cpu.py']

model = dict(
    student=_base_.cpu_student,
    teacher=_base_.cpu_teacher,
    data_preprocessor=dict(grid_mask=dict(prob=0.0), **_base_.cpu_voxels),
    # A switch of its own, shown in every table; configs/synthetic/ablations has the parts one by one.
    init_from_teacher=True,
    losses=dict(
        # Features of two small networks have no common scale: compare in units of the teacher's spread.
        dense=dict(
            mask=dict(sigma=1.0),
            teacher_scale=dict(type='TeacherScale', mode='global'),
            channels='mean',
            normaliser='mask',
            weight=5.0,
            schedule=dict(decay_to=0.0),
        ),
        sparse=dict(
            schedule=dict(start=0.2),
            pairing=dict(max_boxes=20),
            terms=dict(
                contrast=dict(
                    student_critic=dict(in_channels=64, channels=64),
                    teacher_critic=dict(in_channels=64, channels=64),
                )
            )
        )
    ),
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
