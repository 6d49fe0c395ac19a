# What is added to BEVDistill's losses: every query of every decoder layer answers as the teacher's set does.
wholeset_response = dict(
    type='InstanceDistillLoss',
    # Below a tenth the teacher sees nothing: those queries are background to the student.
    pairing=dict(type='TeacherBoxPairing', max_boxes=100, score_threshold=0.1),
    quality=dict(type='ScoreQuality'),
    terms=dict(
        cls=dict(type='FocalResponseTerm', gamma=2.0, weight=2.0, layers='all'),
        box=dict(type='BoxCodeTerm', weight=0.25, layers='all'),
    ),
    weight=1.0,
)
# And every cell of the auxiliary heatmap. It needs one on both sides, in training alone.
wholeset_heatmap = dict(type='FocalHeatmapLoss', gamma=2.0, threshold=0.1, weight=1.0)
