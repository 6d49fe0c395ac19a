# Ablation: distillation losses without the teacher's head to start from.
#
# Command   python tools/train.py configs/synthetic/ablations/losses-only.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    see docs/results/demo.md: measured here.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(init_from_teacher=False)
