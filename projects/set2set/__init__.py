"""Set-to-set distillation (Object-DGCNN, arXiv 2110.06923): the student's set of boxes imitates the teacher's.

Nothing to register: the method is :class:`~bevdistill.losses.InstanceDistillLoss` over
:class:`~bevdistill.losses.TeacherBoxPairing` with terms for class scores and boxes.
"""
