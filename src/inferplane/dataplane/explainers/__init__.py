"""Explainers: models whose `explain` asks a library why the predictor answers as it does. One file each, with an extra
of its own; what they share is how they ask the predictor (`predictions`) and what they take and give (`payloads`)."""
