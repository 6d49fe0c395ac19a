# CPU-sized config of BEVDistill with a response of the whole set, heatmap included, for the synthetic nuScenes of preset
# `demo`.
#
# Command   python tools/train.py projects/wholeset/configs/synthetic/wholeset-heatmap_r50_1x_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = ['./wholeset_r50_1x_nus-3d.py']

model = dict(losses=dict(heatmap=_base_.wholeset_heatmap))
