# The numbers of the CPU-sized configs.
#
# Sums over a quarter of the channels and a sixteenth of the cells: an error per channel counts the same in the background,
# and a mean over channels the same in the attention term. The foreground counts far less: this teacher's features are so
# much larger at objects that its attention there reaches the hundreds; with 2e-2 the term put 290 times the gradient of the
# detection losses on the student's map (one batch, trained student and teacher, no adapter). With 1.2e-4 and the adapter
# the whole loss puts a quarter of it there, BEVDistill's dense term 2.9 times it (projects/README.md).
_base_ = '../../_base_/losses.py'

distillbev_losses = dict(
    regions=dict(
        foreground_weight=1.2e-4,
        background_weight=1.6e-2,
        attention_weight=8e-3,
        adapter=dict(student_channels=64, teacher_channels=64),
    ),
)
