"""The parts of :mod:`samite.utils`, one subject a module. Import from ``samite.utils``."""
