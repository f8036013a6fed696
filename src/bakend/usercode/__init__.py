"""The user's own files: watched while developing; later loaded and run."""
