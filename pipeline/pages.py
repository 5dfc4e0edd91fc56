"""Pages from the templates of this package."""

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["render_page"]


def render_page(template: str, **values: object) -> str:
    """Fill one of this package's templates; text is escaped, and a value that is not given is an error."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=PackageLoader("reelprior.pipeline", "."),
    )
    return environment.get_template(template).render(**values)
