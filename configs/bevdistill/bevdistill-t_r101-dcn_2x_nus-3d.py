# BEVDistill-R101-T: the larger temporal student, distilled (arXiv 2211.09386).
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/bevdistill/bevdistill-t_r101-dcn_2x_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    NDS 52.4, mAP 41.7 on nuScenes val: from the paper. Not measured here.
# Note      The authors trained this one in fp16 with a fixed loss scale of 512; `--amp` adapts the scale.
_base_ = ['./bevdistill-t_r50_2x_nus-3d.py', '../_base_/models/bevformer_r101-dcn.py']

model = dict(student=_base_.r101_student, data_preprocessor=_base_.r101_preprocessor)
