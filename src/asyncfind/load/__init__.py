"""Load: queries at a pace that the peer does not set, and an honest account of what they took."""
