# CPU-sized config of the ablation: linear critics in place of two layers.
#
# Command   python tools/train.py configs/synthetic/ablations/critic-depth-1.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

critic = dict(depth=1)
model = dict(losses=dict(sparse=dict(terms=dict(contrast=dict(student_critic=critic, teacher_critic=critic)))))
