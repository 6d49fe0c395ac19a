# CPU-sized config of the ablation: Kullback-Leibler divergence of matched class scores in place of InfoNCE.
#
# Command   python tools/train.py configs/synthetic/ablations/instance-kl.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
# Note      The weight is that of the InfoNCE; it was not tuned.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(sparse=dict(terms=dict(contrast=dict(_delete_=True, type='SoftClassTerm', subtract_entropy=True, weight=0.2)))))
