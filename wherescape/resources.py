"""What a connector loads: its load tables, each with the way in which its records are read, said once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from wherescape.api_response import Record
from wherescape.errors import DeclarationError
from wherescape.tables import Table

Api = TypeVar("Api")
Wanted = TypeVar("Wanted")


@dataclass(frozen=True)
class Resource(Generic[Api, Wanted]):
    """One kind of data of an API.

    Arguments:
        table: the load table that it fills.
        read: reads its records from the API, of all that there are those that a load wants: since a moment, for
            instance.
        is_incremental: whether it can be read from a moment on, so that its loads have a high-water mark.
        takes: those arguments of the connector's load function that not all of its resources take.
    """

    table: Table
    read: Callable[[Api, Wanted], Iterable[Record]]
    is_incremental: bool = False
    takes: tuple[str, ...] = ()


def resource_of(table: Table, resources: Sequence[Resource[Api, Wanted]]) -> Resource[Api, Wanted]:
    """Return the resource that fills a load table, by the kind of its rows."""
    return next(resource for resource in resources if resource.table.kind == table.kind)


def check_arguments(
    resource: Resource[Api, Wanted], resources: Sequence[Resource[Api, Wanted]], given: Mapping[str, object]
) -> None:
    """Refuse arguments that a resource would be loaded regardless of.

    Arguments:
        resource: what is loaded.
        resources: all of the connector's.
        given: the arguments that not all of them take, by name; one that is not given is false, or None.

    Raises:
        DeclarationError: an argument that is given goes with other resources only.
    """
    for name, value in given.items():
        if value and name not in resource.takes:
            takers = [other.table.kind for other in resources if name in other.takes]
            raise DeclarationError(
                f"The argument {name} does not go with {resource.table.kind}, which would be loaded regardless of it;"
                f" it goes with {', '.join(takers)} only. Leave it out."
            )
