# Ablation of BEVDistill: both losses stop at half of the training.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/ablations/schedule-stop.py --launcher pytorch \
#               --cfg-options model.teacher_checkpoint=FILE
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

schedule = dict(stop=0.5)
model = dict(losses=dict(dense=dict(schedule=schedule), sparse=dict(schedule=schedule)))
