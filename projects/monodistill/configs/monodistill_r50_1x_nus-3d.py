# MonoDistill-R50, single frame: features of objects, affinity of the scene and responses to objects are imitated
# (arXiv 2201.10830). Student, teacher, data and schedule are those of BEVDistill's row; the losses are all that differs.
#
# Command   torchrun --nproc_per_node 8 tools/train.py projects/monodistill/configs/monodistill_r50_1x_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    NDS 42.9, mAP 36.4 on nuScenes val: from the paper (table of arXiv 2211.09386). Not measured here yet.
# Note      Affinity of inner products, as in the authors' code; their text has cosines (cosine=True), see
#           projects/monodistill/README.md.
_base_ = ['../../../configs/bevdistill/bevdistill_r50_1x_nus-3d.py', './_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.monodistill'])
model = dict(losses=dict(_delete_=True, **_base_.monodistill_losses))
