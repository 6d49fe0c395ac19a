# TiG-BEV-R50, single frame: relations within each object's region of the BEV map are imitated (arXiv 2212.13979). Student,
# teacher, data and schedule are those of BEVDistill's row; the losses are all that differs.
#
# Command   torchrun --nproc_per_node 8 tools/train.py projects/tigbev/configs/tigbev_r50_1x_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here yet.
# Note      Without TiG-BEV's inner-depth supervision: this student predicts no depth of image pixels.
_base_ = ['../../../configs/bevdistill/bevdistill_r50_1x_nus-3d.py', './_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.tigbev'])
model = dict(losses=dict(_delete_=True, **_base_.tigbev_losses))
