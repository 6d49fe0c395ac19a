# Teacher of the rows with unlabelled frames that knows no more labels than the student: 25 of the 200 scenes of preset
# `demo` (200 frames), the same ones.
#
# Command   python tools/train.py configs/synthetic/object_dgcnn/teacher_pillar02_few-labels_nus-3d.py
# Hardware  2 CPU cores.
# Result    see docs/results/benchmark.md: measured here, 600 iterations on preset `temporal`.
# Note      Without class-balanced sampling, which cannot balance a class that no labelled scene has.
_base_ = ['./teacher_pillar02_cbgs_20e_nus-3d.py']

train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            _delete_=True,
            type='PartlyLabelledDataset',
            labelled=0.125,
            seed=0,
            keep='labelled',
            dataset=_base_.train_dataloader.dataset.dataset.dataset)))
