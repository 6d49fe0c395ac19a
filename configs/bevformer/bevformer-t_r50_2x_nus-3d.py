# BEVFormer-T, ResNet-50: the undistilled temporal student (BEVFormer, arXiv 2203.17270; row "BEVFormer-R50-T" of
# BEVDistill, arXiv 2211.09386). Four frames in training, the whole scene so far in testing.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/bevformer/bevformer-t_r50_2x_nus-3d.py --launcher pytorch
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    NDS 48.8, mAP 38.3 on nuScenes val: from the paper. Not measured here.
_base_ = [
    '../_base_/models/bevformer_r50.py',
    '../_base_/datasets/nus-3d_temporal_camera.py',
    '../_base_/schedules/cosine-24e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    **_base_.student,
    queue_length=_base_.queue_length,
    data_preprocessor=_base_.student_preprocessor,
)
