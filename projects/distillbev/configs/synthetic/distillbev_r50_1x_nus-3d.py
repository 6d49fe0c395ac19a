# CPU-sized twin of DistillBEV, for the synthetic nuScenes of preset `demo`: the twin of BEVDistill with other losses.
#
# Command   python tools/train.py projects/distillbev/configs/synthetic/distillbev_r50_1x_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = ['../../../../configs/synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py', '../_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.distillbev'])
model = dict(losses=dict(_delete_=True, **_base_.distillbev_losses))
# Sums over a quarter of the channels and a sixteenth of the cells: an error per channel, and the mean magnitude, count
# the same in background and attention. The foreground counts far less: this teacher's features are so much larger at
# objects that its attention there reaches the hundreds; with 2e-2 the term put 290 times the gradient of the detection
# losses on the student's map (one batch, trained student and teacher), with 1.2e-4 it is as BEVDistill's dense term.
model['losses']['regions'].update(foreground_weight=1.2e-4, background_weight=1.6e-2, attention_weight=8e-3)
