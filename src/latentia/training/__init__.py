"""One loop that trains any module for any objective, and the folder that a run leaves behind."""
