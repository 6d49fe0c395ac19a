# Ablation of BEVDistill: critics of three layers in place of two.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/ablations/critic-depth-3.py --launcher pytorch \
#               --cfg-options model.teacher_checkpoint=FILE
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

critic = dict(depth=3)
model = dict(losses=dict(sparse=dict(terms=dict(contrast=dict(student_critic=critic, teacher_critic=critic)))))
