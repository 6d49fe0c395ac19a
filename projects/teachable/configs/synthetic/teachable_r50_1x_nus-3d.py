# CPU-sized config for the synthetic nuScenes:
# BEVDistill-R50 (arXiv 2211.09386) that imitates only what labels explain of the teacher's map.
#
# Command   python tools/train.py projects/teachable/configs/synthetic/teachable_r50_1x_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    see docs/results/candidates.md: measured here.
_base_ = ['../../../../configs/synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py', '../_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.teachable'])
model = dict(losses=dict(dense=dict(_base_.teachable_labels, teacher_channels=64, hidden=64)))
