# Set2Set-R50, single frame: the set of boxes is imitated (Object-DGCNN, arXiv 2110.06923). Student, teacher, data and
# schedule are those of BEVDistill's row; the losses are all that differs.
#
# Command   torchrun --nproc_per_node 8 tools/train.py projects/set2set/configs/set2set_r50_1x_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    NDS 41.0, mAP 33.1 on nuScenes val: from the paper (table of arXiv 2211.09386). Not measured here yet.
# Note      The authors published no code of it: weights are ours, see projects/set2set/README.md.
_base_ = ['../../../configs/bevdistill/bevdistill_r50_1x_nus-3d.py', './_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.set2set'])
model = dict(losses=dict(_delete_=True, **_base_.set2set_losses))
