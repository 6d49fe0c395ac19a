# CPU-sized config of BEVDistill with a response of the whole set, for the synthetic nuScenes of preset `demo`.
#
# Command   python tools/train.py projects/wholeset/configs/synthetic/wholeset_r50_1x_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = ['../../../../configs/synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py', '../_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.wholeset'])
model = dict(losses=dict(response=_base_.wholeset_response))
model['losses']['response']['pairing'].update(max_boxes=40)
