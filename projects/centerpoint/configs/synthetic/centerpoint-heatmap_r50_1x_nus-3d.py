# CPU-sized config of the student that learns CenterPoint's map and heatmap, for the synthetic nuScenes of preset `demo`. The
# students of all CPU-sized configs have the auxiliary heatmap.
#
# Command   python tools/train.py projects/centerpoint/configs/synthetic/centerpoint-heatmap_r50_1x_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from projects/centerpoint/configs/synthetic/centerpoint_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = ['./centerpoint_r50_1x_nus-3d.py']

model = dict(losses=dict(heatmap=_base_.centerpoint_heatmap))
