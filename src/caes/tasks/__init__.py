"""What a trained auto-encoder is for: one file a task, named as its command is."""
