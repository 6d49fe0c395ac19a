# The same with every cell of the auxiliary heatmap answering as the teacher's does: BEVDistill-R50 (arXiv 2211.09386) with a
# response of the whole set, on a student with an auxiliary heatmap, in training alone.
#
# Command   torchrun --nproc_per_node 8 tools/train.py projects/wholeset/configs/wholeset-heatmap_r50_1x_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here yet on nuScenes; no paper has it. The CPU-sized result: docs/results/benchmark.md.
# Note      To be compared with rows whose student has the heatmap too.
_base_ = ['./wholeset_r50_1x_nus-3d.py']

model = dict(
    student=dict(
        pts_bbox_head=dict(
            aux_heatmap=dict(_delete_=True, share_channels=256, head_channels=64, num_convs=3, detach_input=False)
        )
    ),
    losses=dict(heatmap=_base_.wholeset_heatmap),
)
