"""What runs inside a container; the texts of these files are handed to its Python."""
