"""The command line: one module a noun. Only this package catches broadly and sets exit codes."""
