"""The command check: SQL files run over a window, findings, watermarks."""
