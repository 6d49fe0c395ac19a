# CPU-sized config of the ablation: the weights of both losses rise linearly over the first quarter of the training.
#
# Command   python tools/train.py configs/synthetic/ablations/schedule-warmup.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

schedule = dict(_delete_=True, warmup=0.25)
model = dict(losses=dict(dense=dict(schedule=schedule), sparse=dict(schedule=schedule)))
