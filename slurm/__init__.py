"""How runs reach a cluster. Only this room may import submitit (an import-linter contract in pyproject.toml)."""
