# CPU-sized config of the ablation: InfoNCE of matched query states, the row of the paper.
#
# Command   python tools/train.py configs/synthetic/ablations/instance-infonce.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
# Note      Equal to bevdistill/bevdistill_r50_1x_nus-3d.py, spelled out.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(sparse=dict(terms=dict(contrast=dict(type='StateContrastTerm', weight=0.2)))))
