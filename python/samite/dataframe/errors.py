"""Errors of data frames that have no counterpart in pandas."""

from __future__ import annotations


class AttributeNotImplementedError(NotImplementedError, AttributeError):
    """An attribute that pandas has and that is not known before computation."""
