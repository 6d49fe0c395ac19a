"""Methods to compare with, each a plug-in in a folder of its own that can be deleted.

This file makes `projects` a package that no folder of the same name elsewhere on the path can hide.
"""
