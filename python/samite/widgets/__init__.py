"""HTML for notebooks, made from Jinja templates.

Extend ``TEMPLATE_PATHS`` with folders and ``FILTERS`` with functions to add templates of your
own. Jinja is imported when the first template is asked for.
"""

from __future__ import annotations

import datetime
import html
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from samite.utils import format_bytes, format_time, format_time_ago, key_split, typename

if TYPE_CHECKING:
    from jinja2 import Environment, Template

__all__ = ["FILTERS", "TEMPLATE_PATHS", "get_environment", "get_template"]

FILTERS: dict[str, Callable[..., Any]] = {
    "datetime_from_timestamp": datetime.datetime.fromtimestamp,
    "format_bytes": format_bytes,
    "format_time": format_time,
    "format_time_ago": format_time_ago,
    "html_escape": html.escape,
    "key_split": key_split,
    "type": type,
    "typename": typename,
}

TEMPLATE_PATHS: list[str] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "templates")]


def get_environment() -> Environment:
    """A Jinja environment with all template folders and filters.

    Raises
    ------
    ImportError
        If Jinja is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader
    except ImportError as error:
        raise ImportError(
            "HTML for notebooks requires Jinja:\n\n  python -m pip install jinja2"
        ) from error
    environment = Environment(loader=FileSystemLoader(TEMPLATE_PATHS))
    environment.filters.update(FILTERS)
    return environment


def get_template(name: str) -> Template:
    """The template of a name; ``jinja2.TemplateNotFound`` says where it was looked for."""
    environment = get_environment()
    from jinja2 import TemplateNotFound

    try:
        return environment.get_template(name)
    except TemplateNotFound as error:
        raise TemplateNotFound(
            f"there is no template {name!r} in the folders of "
            f"samite.widgets.TEMPLATE_PATHS: {TEMPLATE_PATHS}"
        ) from error
