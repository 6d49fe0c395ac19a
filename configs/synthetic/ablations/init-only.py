# Ablation: the student starts from the teacher's head and learns without distillation losses.
#
# Command   python tools/train.py configs/synthetic/ablations/init-only.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    see docs/results/demo.md: measured here.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(init_from_teacher=True, losses=dict(_delete_=True))
