"""Files of other houses: bytes to frozen records and back, without Django."""
