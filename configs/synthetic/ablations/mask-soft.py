# CPU-sized config of the ablation: dense imitation under Gaussians as wide as the objects (the rule of the release).
#
# Command   python tools/train.py configs/synthetic/ablations/mask-soft.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
# Note      bevdistill/bevdistill_r50_1x_nus-3d.py has one width for all objects (the rule of the paper).
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(dense=dict(mask=dict(_delete_=True, type='SoftForeground', min_overlap=0.1, min_radius=1))))
