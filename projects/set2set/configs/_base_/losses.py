# Set2Set: the teacher's 50 best boxes are matched one to one to the student's queries, layer by layer, by class scores and
# boxes; matched pairs alone are compared, in class scores and boxes, in all decoder layers.
#
# The costs and the box weight are those of the student's own set loss (L1 x 0.25); the weight of the class term is ours.
set2set_losses = dict(
    sets=dict(
        type='InstanceDistillLoss',
        pairing=dict(
            type='TeacherBoxPairing',
            max_boxes=50,
            cls_cost=dict(type='SoftClassCost', weight=1.0),
            reg_cost=dict(type='BoxCodeL1Cost', weight=0.25),
        ),
        quality=dict(type='UniformQuality'),
        terms=dict(
            cls=dict(type='SoftClassTerm', unmatched='ignore', weight=1.0, layers='all'),
            box=dict(type='BoxCodeTerm', weight=0.25, layers='all'),
        ),
        weight=1.0,
    ),
)
