"""Shards: tar files of images that are read in turn. What lies in one, how it is written, found and read."""
