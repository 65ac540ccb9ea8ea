"""The commands install and uninstall."""
