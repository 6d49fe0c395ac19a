# CPU-sized config of UniDistill with all three losses, for the synthetic nuScenes of preset `demo`. The students of all
# CPU-sized configs have the auxiliary heatmap.
#
# Command   python tools/train.py projects/unidistill/configs/synthetic/unidistill-response_r50_1x_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = ['./unidistill_r50_1x_nus-3d.py']

model = dict(losses=_base_.unidistill_response)
