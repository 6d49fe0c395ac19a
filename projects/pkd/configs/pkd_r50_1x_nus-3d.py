# PKD-R50, single frame: the pattern of each channel of the BEV map is imitated (arXiv 2207.02039). Student, teacher, data
# and schedule are those of BEVDistill's row; the losses are all that differs.
#
# Command   torchrun --nproc_per_node 8 tools/train.py projects/pkd/configs/pkd_r50_1x_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here yet. The paper has no LiDAR teacher and no student of this kind.
_base_ = ['../../../configs/bevdistill/bevdistill_r50_1x_nus-3d.py', './_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.pkd'])
model = dict(losses=dict(_delete_=True, **_base_.pkd_losses))
