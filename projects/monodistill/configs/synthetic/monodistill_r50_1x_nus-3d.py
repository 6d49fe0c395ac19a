# CPU-sized config of MonoDistill, for the synthetic nuScenes of preset `demo`: that of BEVDistill with other losses.
#
# Command   python tools/train.py projects/monodistill/configs/synthetic/monodistill_r50_1x_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    Not measured here yet.
# Note      Responses set in late, as the instance losses of BEVDistill's CPU-sized config. An affinity is a sum over a
#           quarter of the channels, hence four times its weight.
_base_ = ['../../../../configs/synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py', '../_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.monodistill'])
model = dict(losses=dict(_delete_=True, **_base_.monodistill_losses))
model['losses']['features'].update(cells=16, scene_weight=4 / 12)
model['losses']['features']['adapter'].update(student_channels=64, teacher_channels=64)
model['losses']['response'].update(schedule=dict(start=0.2))
