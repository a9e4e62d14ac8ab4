"""Making data frames of what is elsewhere, and writing them."""
