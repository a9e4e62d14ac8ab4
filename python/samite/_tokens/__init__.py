"""Forms of functions, classes, and other packages' types, for :mod:`samite.tokenize`."""
