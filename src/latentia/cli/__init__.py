"""The command line: it parses, calls and prints. Nothing here imports torch before a command needs it."""
