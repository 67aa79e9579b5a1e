"""What the doctor looks at, one finding a file."""
