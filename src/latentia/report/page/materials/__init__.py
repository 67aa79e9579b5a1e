"""What pages are made of, one file for each kind of result: computed when a section asks for it, and once."""
