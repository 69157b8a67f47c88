"""What the site and its tests are made with: pages.py reads Markdown, the others make pages and notebooks of it, of docstrings and of names."""
