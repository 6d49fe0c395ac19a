"""Fixtures of this folder."""

from small_student import drive, student, student_files

__all__ = ['drive', 'student', 'student_files']
