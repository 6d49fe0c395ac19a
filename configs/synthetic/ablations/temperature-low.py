# CPU-sized config of the ablation: InfoNCE at a temperature of 0.02 in place of 0.07.
#
# Command   python tools/train.py configs/synthetic/ablations/temperature-low.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(sparse=dict(terms=dict(contrast=dict(temperature=0.02)))))
