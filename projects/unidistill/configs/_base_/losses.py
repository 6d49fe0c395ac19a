# UniDistill: nine key points of each object, their features (100) and the cosines among them (40).
unidistill_losses = dict(
    feature=dict(type='UniDistillFeatureLoss', tap='bev', weight=100.0),
    relation=dict(type='UniDistillRelationLoss', tap='bev', weight=40.0),
)
# Class heatmaps near objects (10), for a student that has one.
unidistill_response = dict(type='UniDistillResponseLoss', teacher_temperature=2.0, min_overlap=0.7, weight=10.0)
