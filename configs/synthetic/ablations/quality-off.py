# CPU-sized config of the ablation: every teacher box counts the same.
#
# Command   python tools/train.py configs/synthetic/ablations/quality-off.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(sparse=dict(quality=dict(_delete_=True, type='UniformQuality'))))
