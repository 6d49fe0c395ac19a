# Ablation of BEVDistill: InfoNCE of matched query states, the row of the paper.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/ablations/instance-infonce.py --launcher pytorch \
#               --cfg-options model.teacher_checkpoint=FILE
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here.
# Note      Equal to bevdistill/bevdistill_r50_1x_nus-3d.py, spelled out.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(sparse=dict(terms=dict(contrast=dict(type='StateContrastTerm', weight=0.2)))))
