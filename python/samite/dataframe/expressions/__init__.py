"""Expressions of data frames: what is to be computed, before there are tasks."""
