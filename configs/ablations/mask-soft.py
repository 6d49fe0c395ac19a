# Ablation of BEVDistill: dense imitation under Gaussians as wide as the objects (the rule of the release).
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/ablations/mask-soft.py --launcher pytorch \
#               --cfg-options model.teacher_checkpoint=FILE
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here.
# Note      bevdistill/bevdistill_r50_1x_nus-3d.py has one width for all objects (the rule of the paper).
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(dense=dict(mask=dict(_delete_=True, type='SoftForeground', min_overlap=0.1, min_radius=1))))
