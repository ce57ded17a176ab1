"""How many pods a revision gets: load figures come in, wanted scales go out, as Knative's pod autoscaler has it.

Pure: `windows` (averages), `delay`, `decide` (one decision), `decider` (the state of one revision), `bounds` (what of a
decision is applied, and when), `replay` and `simulate` (the same over made-up time).
"""
