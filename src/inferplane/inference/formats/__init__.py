"""Which format a model is in, told from its files: nothing is imported, unpickled or run, whatever the files hold.

`detection` looks through a directory: layouts of several files first (MLflow, SavedModel, Hugging Face, Triton), then
file by file. What a file is, its content says; names only decide where content does not. The recognizers of `pickles`,
`boosters`, `archives`, `protobufs` and `documents` each take a `Sample` of a file and give a `Found`, or None.
"""
