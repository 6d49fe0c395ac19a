# CPU-sized config of the ablation: the weights of both losses fall linearly to zero over the training.
#
# Command   python tools/train.py configs/synthetic/ablations/schedule-decay.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

schedule = dict(_delete_=True, decay_to=0.0)
model = dict(losses=dict(dense=dict(schedule=schedule), sparse=dict(schedule=schedule)))
