# MonoDistill: 10 x features of objects + 1 x affinity of the scene, both of the adapted map, + 1 x responses to objects.
#
# The release divides the losses of features by its batch of 12 once more; here that stands in the weights. A response is a
# box, compared by L1 between the queries that detection's own matching gives to one object; 1 x means as much as the
# detector's own L1, which has the weight 0.25.
monodistill_losses = dict(
    features=dict(
        type='MonoDistillFeatureLoss',
        adapter=dict(type='AdaptationBlock', student_channels=256, teacher_channels=256),
        object_weight=10 / 12,
        scene_weight=1 / 12,
        cells=32,
        weight=1.0,
    ),
    response=dict(
        type='InstanceDistillLoss',
        pairing=dict(type='GroundTruthPairing'),
        quality=dict(type='UniformQuality'),
        terms=dict(box=dict(type='BoxCodeTerm', weight=0.25)),
        weight=1.0,
    ),
)
