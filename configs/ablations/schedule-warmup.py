# Ablation of BEVDistill: the weights of both losses rise linearly over the first quarter of the training.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/ablations/schedule-warmup.py --launcher pytorch \
#               --cfg-options model.teacher_checkpoint=FILE
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

schedule = dict(warmup=0.25)
model = dict(losses=dict(dense=dict(schedule=schedule), sparse=dict(schedule=schedule)))
