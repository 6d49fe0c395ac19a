# Ablation of BEVDistill: L1 of matched query states in place of InfoNCE.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/ablations/instance-l1.py --launcher pytorch \
#               --cfg-options model.teacher_checkpoint=FILE
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here.
# Note      The weight is that of the InfoNCE; it was not tuned.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(sparse=dict(terms=dict(contrast=dict(_delete_=True, type='StateL1Term', weight=0.2)))))
