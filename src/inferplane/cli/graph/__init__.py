"""`inferplane graph NAME`: an InferenceGraph as a drawing in the terminal, or as a document for programs."""
