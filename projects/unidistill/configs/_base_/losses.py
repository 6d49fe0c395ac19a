# UniDistill: nine key points of each object, their features (100) and the cosines among them (40).
unidistill_losses = dict(
    feature=dict(type='UniDistillFeatureLoss', tap='bev', weight=100.0),
    relation=dict(type='UniDistillRelationLoss', tap='bev', weight=40.0),
)
# Responses (10): class heatmaps near objects, for a student that has one, and boxes. The release compares the box maps of six
# CenterPoint heads, 10 times the mean over their 66 channels. A student of queries has none: here it is the ten numbers of
# the boxes of the two queries that detection's own matching gives to one object, each with that weight.
unidistill_response = dict(
    response=dict(type='UniDistillResponseLoss', teacher_temperature=2.0, min_overlap=0.7, min_radius=0, weight=10.0),
    boxes=dict(
        type='InstanceDistillLoss',
        pairing=dict(type='GroundTruthPairing'),
        quality=dict(type='UniformQuality'),
        terms=dict(box=dict(type='BoxCodeTerm', code_weights=[1.0] * 10)),
        weight=10.0 / 66,
    ),
)
