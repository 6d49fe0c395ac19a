# Ablation of BEVDistill: InfoNCE at a temperature of 0.02 in place of 0.07.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/ablations/temperature-low.py --launcher pytorch \
#               --cfg-options model.teacher_checkpoint=FILE
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(sparse=dict(terms=dict(contrast=dict(temperature=0.02)))))
