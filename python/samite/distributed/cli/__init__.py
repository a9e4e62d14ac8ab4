"""The commands ``samite scheduler``, ``samite worker`` and ``samite ssh``."""
