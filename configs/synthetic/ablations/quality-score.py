# CPU-sized config of the ablation: teacher boxes weighted by their score.
#
# Command   python tools/train.py configs/synthetic/ablations/quality-score.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(sparse=dict(quality=dict(_delete_=True, type='ScoreQuality'))))
