"""One page for each run: a single HTML file that asks for nothing, made of sections that are one file each."""
