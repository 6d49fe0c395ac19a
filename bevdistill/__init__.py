"""Cross-modal knowledge distillation in bird's-eye view."""

__version__ = '0.1.0'
