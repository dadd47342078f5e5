"""Fork: one stream to several."""
