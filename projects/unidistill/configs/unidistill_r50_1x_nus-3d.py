# UniDistill-R50, single frame: features and relations at key points of objects are imitated (arXiv 2303.15083). Student,
# teacher, data and schedule are those of BEVDistill's row; the losses are all that differs.
#
# Command   torchrun --nproc_per_node 8 tools/train.py projects/unidistill/configs/unidistill_r50_1x_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here yet.
# Note      UniDistill's third loss compares class heatmaps, which the student of this row has not; it is in
#           unidistill-response_r50_1x_nus-3d.py.
_base_ = ['../../../configs/bevdistill/bevdistill_r50_1x_nus-3d.py', './_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.unidistill'])
model = dict(losses=dict(_delete_=True, **_base_.unidistill_losses))
