# BEVFormer-T, ResNet-101: the larger undistilled temporal student (BEVFormer, arXiv 2203.17270; row "BEVFormer-R101-T" of
# BEVDistill, arXiv 2211.09386).
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/bevformer/bevformer-t_r101-dcn_2x_nus-3d.py \
#               --launcher pytorch
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    NDS 50.6, mAP 40.5 on nuScenes val: from the paper. Not measured here.
# Note      The authors trained this one in fp16 with a fixed loss scale of 512; `--amp` adapts the scale.
_base_ = ['./bevformer-t_r50_2x_nus-3d.py', '../_base_/models/bevformer_r101-dcn.py']

model = dict(**_base_.r101_student, data_preprocessor=_base_.r101_preprocessor)
