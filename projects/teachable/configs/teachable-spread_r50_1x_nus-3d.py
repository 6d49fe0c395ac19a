# BEVDistill-R50 (arXiv 2211.09386) that imitates most what the student can foresee.
#
# Command   torchrun --nproc_per_node 8 tools/train.py projects/teachable/configs/teachable-spread_r50_1x_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here yet on nuScenes; no paper has it. The CPU-sized result: docs/results/candidates.md.
_base_ = ['../../../configs/bevdistill/bevdistill_r50_1x_nus-3d.py', './_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.teachable'])
model = dict(losses=dict(dense=_base_.teachable_spread))
