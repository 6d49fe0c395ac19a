# Camera detector whose image backbone and neck the pretrained students start from: the undistilled student, trained on drives
# that no student sees (preset `temporal` with a seed of its own).
#
# Command   python tools/make_synthetic_nuscenes.py data/pretraining --preset temporal --seed 20
#           python tools/create_data.py nuscenes --root-path data/pretraining --version v1.0-trainval
#           python tools/train.py configs/synthetic/bevformer/bevformer_r50_1x_pretraining_nus-3d.py
# Hardware  2 CPU cores.
# Result    see docs/results/paper_condition.md: measured here.
_base_ = './bevformer_r50_1x_nus-3d.py'

train_dataloader = dict(dataset=dict(dataset=dict(data_root='data/pretraining/')))
val_dataloader = dict(dataset=dict(data_root='data/pretraining/'))
test_dataloader = dict(dataset=dict(data_root='data/pretraining/'))
val_evaluator = dict(data_root='data/pretraining/')
test_evaluator = dict(data_root='data/pretraining/')
train_cfg = dict(max_iters=1200, val_interval=1200)
