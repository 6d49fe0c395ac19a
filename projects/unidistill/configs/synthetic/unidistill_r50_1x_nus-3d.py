# CPU-sized config of UniDistill, for the synthetic nuScenes of preset `demo`: that of BEVDistill with other losses.
#
# Command   python tools/train.py projects/unidistill/configs/synthetic/unidistill_r50_1x_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = ['../../../../configs/synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py', '../_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.unidistill'])
model = dict(losses=dict(_delete_=True, **_base_.unidistill_losses))
