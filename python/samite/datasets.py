"""Made-up data of any size, for trying things out."""

from __future__ import annotations

from samite.utils import import_required

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["make_people", "timeseries"]


def timeseries(
    start: Any = "2000-01-01",
    end: Any = "2000-01-31",
    freq: str = "1s",
    partition_freq: str = "1D",
    dtypes: dict[str, Any] | None = None,
    seed: int | None = None,
    **kwargs: Any,
) -> Any:
    """A data frame of random values, indexed by time.

    Parameters
    ----------
    start, end
        The time span.
    freq, partition_freq
        The time from row to row, and from partition to partition.
    dtypes
        Names and types of the columns: ``float``, ``int``, ``str`` or ``"category"``.
    seed
        Of the random numbers.
    **kwargs
        Options for columns, such as ``id_lam=1000``.
    """
    from samite.dataframe.datasets import timeseries as make

    if dtypes is None:
        dtypes = {"name": str, "id": int, "x": float, "y": float}
    return make(
        start=start,
        end=end,
        freq=freq,
        partition_freq=partition_freq,
        seed=seed,
        dtypes=dtypes,
        **kwargs,
    )


def _person(field: Any) -> dict[str, Any]:
    return {
        "age": field("random.randint", a=0, b=120),
        "name": (field("person.name"), field("person.surname")),
        "occupation": field("person.occupation"),
        "telephone": field("person.telephone"),
        "address": {"address": field("address.address"), "city": field("address.city")},
        "credit-card": {
            "number": field("payment.credit_card_number"),
            "expiration-date": field("payment.credit_card_expiration_date"),
        },
    }


def _make_people_partition(locale: str, count: int, seed: int) -> list[dict[str, Any]]:
    """The task behind one partition: `count` people, the same for the same seed."""
    from mimesis.schema import Field

    field = Field(locale=locale, seed=seed)
    return [_person(field) for _ in range(count)]


def make_people(
    npartitions: int = 10,
    records_per_partition: int = 1000,
    seed: int | None = None,
    locale: str = "en",
) -> Any:
    """A bag of dictionaries that describe people who do not exist.

    Needs the package ``mimesis``.

    Parameters
    ----------
    locale
        The language of names and addresses, such as ``"en"`` or ``"fr"``.

    Raises
    ------
    RuntimeError
        ``mimesis`` is not installed.
    ImportError
        This version of Samite has no bags.
    """
    import_required(
        "mimesis",
        "The mimesis module is required for this function.  Try:\n  python -m pip install mimesis",
    )
    try:
        from samite.bag import Bag
    except ImportError as error:
        raise ImportError(
            "samite.datasets.make_people makes a bag, and samite.bag is not part of this version "
            "of Samite"
        ) from error
    import random

    from samite.tokenize import tokenize

    generator = random.Random(seed)
    seeds = [generator.randrange(1 << 32) for _ in range(npartitions)]
    name = "make-people-" + tokenize(locale, npartitions, records_per_partition, seeds)
    graph = {
        (name, number): (_make_people_partition, locale, records_per_partition, each)
        for number, each in enumerate(seeds)
    }
    return Bag(graph, name, npartitions)
