# Baseline of the rows with unlabelled frames: the undistilled student on the labelled frames alone, 25 of the 200 scenes
# of preset `demo` (200 frames), the same ones.
#
# Command   python tools/train.py configs/synthetic/bevformer/bevformer_r50_1x_few-labels_nus-3d.py
# Hardware  2 CPU cores.
# Result    see docs/results/benchmark.md: measured here, 600 iterations on preset `temporal`.
# Note      Each batch has 4 labelled frames, twice as many as in the rows with unlabelled frames.
_base_ = ['./bevformer_r50_1x_nus-3d.py']

train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            _delete_=True,
            type='PartlyLabelledDataset',
            labelled=0.125,
            seed=0,
            keep='labelled',
            dataset=_base_.train_dataloader.dataset.dataset)))
train_cfg = dict(max_iters=1000, val_interval=1000)
