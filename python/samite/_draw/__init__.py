"""Drawing of task graphs without system packages: pictures, layout, and file formats."""
