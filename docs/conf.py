"""Configuration of Sphinx. What is made from the package itself, `generate.py` beside this file makes."""

import sys
from pathlib import Path

import skpool

sys.path.insert(0, str(Path(__file__).parent))

project = "skpool"
copyright = "skpool contributors"
release = version = skpool.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "myst_parser",  # for the parts of README.md that pages include
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "generate",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
add_function_parentheses = False
default_role = "code"  # names in docstrings stand between single backquotes
numpydoc_show_class_members = False
autosummary_generate = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "within_subsection_order": "FileNameSortKey",
    "filename_pattern": r"\.py$",
    "image_scrapers": ("generate.picture",),
    "download_all_examples": False,
    "show_signature": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "skpool"
html_static_path = ["_static"]
html_css_files = ["skpool.css"]
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": False, "show_prev_next": False, "footer_end": []}
html_sidebars = {"index": [], "coming_from": [], "api": []}
