# BEVFormer-base, the largest public model of its authors (BEVFormer, arXiv 2203.17270): ResNet-101, four levels,
# 200 x 200 cells of 0.512 m. For the public weights take bevformer_base_24e_released_nus-3d.py.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/bevformer/bevformer_base_24e_nus-3d.py --launcher pytorch
# Hardware  8 GPUs x 1 sample; the authors name 28.5 GB a GPU. Hours not measured here.
# Result    NDS 51.7, mAP 41.6 on nuScenes val: from the paper's repository. Not measured here.
_base_ = './bevformer-t_r101-dcn_2x_nus-3d.py'

model = dict(pts_bbox_head=dict(grid=dict(rows=200, cols=200)))
