"""What all keep on disk: folders, sealed files, SQLite files, data files."""
