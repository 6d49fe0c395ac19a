# Unlabelled frames with the teacher's boxes as targets of detection, without distillation losses.
#
# Command   python tools/train.py configs/synthetic/bevdistill/bevdistill_r50_1x_unlabelled-boxes_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    not measured here yet.
_base_ = './bevdistill_r50_1x_unlabelled_nus-3d.py'

model = dict(losses=dict(_delete_=True))
