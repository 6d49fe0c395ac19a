# CPU-sized config: PKD where 25 of 200 drives are labelled, for the synthetic nuScenes of preset `temporal`.
#
# Command   python tools/train.py projects/pkd/configs/synthetic/pkd_r50_1x_few-labels_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    see docs/results/benchmark.md: measured here.
# Note      Half of each batch has labels; the losses act on all of it. Starting from the teacher's head, a switch of its
#           own, is off here and on in the study.
_base_ = ['../../../../configs/synthetic/bevdistill/bevdistill_r50_1x_few-labels_nus-3d.py', '../_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.pkd'])
model = dict(losses=dict(_delete_=True, **_base_.pkd_losses))
