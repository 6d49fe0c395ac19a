# CPU-sized config for the synthetic nuScenes:
# BEVDistill-R50 (arXiv 2211.09386) that imitates most what the student can foresee.
#
# Command   python tools/train.py projects/teachable/configs/synthetic/teachable-spread_r50_1x_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    see docs/results/candidates.md: measured here.
_base_ = ['../../../../configs/synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py', '../_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.teachable'])
model = dict(losses=dict(dense=dict(_base_.teachable_spread, student_channels=64, teacher_channels=64)))
