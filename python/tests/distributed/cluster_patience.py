"""How long tests of clusters wait: in a module of its own, since workers import it too."""

# Seconds; a machine that does other work too is slow.
PATIENCE = 20
