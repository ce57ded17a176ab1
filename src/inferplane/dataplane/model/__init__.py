"""What a model is to the server: the author's class, its life cycle, and the repository that holds it."""
