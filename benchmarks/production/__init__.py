"""What is held against the references: a module for each group, with ``cases()``."""
