"""TrainedModels: which of them their parent has memory for, the list of models that its server reads, their status."""
