"""What TensorFlow Serving's clients say and hear: its JSON, its messages, its configuration. Needs no TensorFlow."""
