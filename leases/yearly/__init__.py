"""The yearly work: indices, rent revision, expenses and charges."""
