"""One module a command (or a family of them); `cli.main.COMMANDS` says where each is."""
