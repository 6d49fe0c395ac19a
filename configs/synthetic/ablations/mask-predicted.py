# CPU-sized config of the ablation: dense imitation where the student's own heatmap sees objects.
#
# Command   python tools/train.py configs/synthetic/ablations/mask-predicted.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(dense=dict(mask=dict(_delete_=True, type='PredictedForeground', source='student'))))
