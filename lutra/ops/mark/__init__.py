"""Mark: where sequences end."""
