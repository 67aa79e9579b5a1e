"""One file for each command, named like it; each holds ``command``."""
