"""One file for each kind of source; the registry finds them. A source knows what it answers to and reads its parts."""
