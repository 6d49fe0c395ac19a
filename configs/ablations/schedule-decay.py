# Ablation of BEVDistill: the weights of both losses fall linearly to zero over the training.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/ablations/schedule-decay.py --launcher pytorch \
#               --cfg-options model.teacher_checkpoint=FILE
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

schedule = dict(decay_to=0.0)
model = dict(losses=dict(dense=dict(schedule=schedule), sparse=dict(schedule=schedule)))
