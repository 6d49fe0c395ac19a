# CPU-sized config of the ablation: both losses stop at half of the training.
#
# Command   python tools/train.py configs/synthetic/ablations/schedule-stop.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

schedule = dict(_delete_=True, stop=0.5)
model = dict(losses=dict(dense=dict(schedule=schedule), sparse=dict(schedule=schedule)))
