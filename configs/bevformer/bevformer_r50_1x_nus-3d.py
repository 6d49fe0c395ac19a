# BEVFormer-R50, single frame: the undistilled student (BEVFormer, arXiv 2203.17270; row "BEVFormer-R50" of BEVDistill,
# arXiv 2211.09386).
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/bevformer/bevformer_r50_1x_nus-3d.py --launcher pytorch
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    NDS 42.3, mAP 35.2 on nuScenes val: from the paper. Not measured here.
# Note      The authors never released a single-frame config. Taken from their temporal one, without history, 12 epochs.
_base_ = [
    '../_base_/models/bevformer_r50.py',
    '../_base_/datasets/nus-3d_camera.py',
    '../_base_/schedules/cosine-24e.py',
    '../_base_/default_runtime.py',
]
model = dict(**_base_.student, data_preprocessor=_base_.student_preprocessor)
train_cfg = dict(max_epochs=12)
