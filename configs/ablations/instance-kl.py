# Ablation of BEVDistill: Kullback-Leibler divergence of matched class scores in place of InfoNCE.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/ablations/instance-kl.py --launcher pytorch \
#               --cfg-options model.teacher_checkpoint=FILE
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here.
# Note      The weight is that of the InfoNCE; it was not tuned.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(sparse=dict(terms=dict(contrast=dict(_delete_=True, type='SoftClassTerm', subtract_entropy=True, weight=0.2)))))
