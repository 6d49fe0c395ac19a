# CPU-sized config of Set2Set, for the synthetic nuScenes of preset `demo`: that of BEVDistill with other losses.
#
# Command   python tools/train.py projects/set2set/configs/synthetic/set2set_r50_1x_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    Not measured here yet.
# Note      Number of teacher boxes and late start as BEVDistill's CPU-sized config has them.
_base_ = ['../../../../configs/synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py', '../_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.set2set'])
model = dict(losses=dict(_delete_=True, **_base_.set2set_losses))
model['losses']['sets'].update(schedule=dict(start=0.2))
model['losses']['sets']['pairing'].update(max_boxes=20)
