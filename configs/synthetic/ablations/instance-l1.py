# CPU-sized config of the ablation: L1 of matched query states in place of InfoNCE.
#
# Command   python tools/train.py configs/synthetic/ablations/instance-l1.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
# Note      The weight is that of the InfoNCE; it was not tuned.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(sparse=dict(terms=dict(contrast=dict(_delete_=True, type='StateL1Term', weight=0.2)))))
