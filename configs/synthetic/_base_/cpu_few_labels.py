# Few labels: 25 of the 200 training drives have them. Half of each batch are labelled frames; on the others the student has
# the distillation losses alone, whose targets are the boxes that the teacher sees (docs/unlabelled.md).
cpu_few_labels = dict(type='PartlyLabelledDataset', labelled=0.125, seed=0, keep='all')
cpu_mixture = dict(type='LabelledRatioSampler', labelled=2, unlabelled=2, infinite=True)
cpu_losses_alone = dict(min_score=0.3, max_boxes=300, weight=0.0)
