"""The parts of :mod:`samite.blockwise`."""
