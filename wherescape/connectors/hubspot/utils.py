"""What the tasks with HubSpot share: which portal a table belongs to, and its access token."""

from typing import Any

from wherescape import WhereScape
from wherescape.connectors.hubspot.hubspot_objects import OBJECT_TYPES
from wherescape.connectors.hubspot.hubspot_wrapper import BASE_URL, Hubspot
from wherescape.errors import DeclarationError, EnvironmentVariableError

ACCESS_TOKEN = "hubspot_access_token"
ENVIRONMENT = "hubspot_environment"
PRODUCTION, DEVELOPMENT = "production", "development"
# HubSpot, "Account information": the types of accounts that hold no real data.
NOT_REAL = ("SANDBOX", "DEVELOPER_TEST", "APP_DEVELOPER")

_NO_PORTAL = {
    *("load", "stage", "ds", "hubspot", "association", "associations", "owner", "owners", "pipeline", "pipelines"),
    *("property", "properties", "keys", "dev"),
    *(word for each in OBJECT_TYPES for word in (each.kind, each.name)),
}


def hubspot_get_token(
    wherescape: WhereScape, table_name: str, develop_env: bool = False, *, portal: str | None = None
) -> tuple[str, str]:
    """Return the access token for a table, and the RED parameter that holds it.

    That is `hubspot_access_token_{portal}`, or `hubspot_access_token` if the table's name names no portal, with `_dev`
    behind it for a development repository. It is never that of another portal, nor the real one in place of a
    sandbox's.

    Arguments:
        wherescape: knows the parameters.
        table_name: with or without its schema. The word in it that is neither an object of HubSpot nor one of load,
            stage, ds, hubspot, keys and the like is the portal.
        develop_env: whether this is a development repository.
        portal: whose token it is, whatever the table's name says; empty for the one without a name.

    Raises:
        EnvironmentVariableError: there is no such token.
        DeclarationError: the table's name has several words that may be a portal.
    """
    if portal is None:
        words = [word for word in table_name.rpartition(".")[2].lower().split("_") if word not in _NO_PORTAL]
        if len(words) > 1:
            raise DeclarationError(
                f"Which portal of HubSpot {table_name} belongs to is not clear: {' or '.join(words)}. Say it in the"
                " host script by the argument portal, which is empty for the portal without a name."
            )
        portal = "".join(words)
    parameter = ACCESS_TOKEN + (f"_{portal}" if portal else "") + ("_dev" if develop_env else "")
    names = {name.lower(): name for name in wherescape.parameter_names()}
    token = wherescape.read_parameter(names.get(parameter, parameter)).strip()
    if not token:
        otherwise = (
            f" If {portal} is no portal, say so in the host script by the argument portal, which is empty for the"
            " portal without a name."
        )
        raise EnvironmentVariableError(
            f"There is no access token of HubSpot for {table_name}: enter it in the RED parameter {parameter}."
            + (otherwise if portal else "")
        )
    return token, parameter


def connect(
    wherescape: WhereScape, *, writes: bool = False, portal: str | None = None, parameter: str = "", **options: Any
) -> Hubspot:
    """Return the portal that the table of this script belongs to.

    Arguments:
        wherescape: gives the table and the parameters, and if it is another than HubSpot's own, the address
            (WSL_SRCCFG_URL). The parameter `hubspot_environment` says whether the repository is for `production` or
            `development`, in which case the tokens of sandboxes are used. It must be there to write.
        writes: whether anything is going to be changed in HubSpot.
        portal: as for `hubspot_get_token`.
        parameter: the RED parameter with the access token, whatever the table's name says.
        options: of `Hubspot`.

    Raises:
        EnvironmentVariableError: there is no token, or it is not known what the repository is for.
        DeclarationError: as from `hubspot_get_token`, or something is to be written from a development repository to
            a portal that is no sandbox.
    """
    environment = wherescape.read_parameter(ENVIRONMENT).strip().lower()
    if environment not in (PRODUCTION, DEVELOPMENT) and (writes or environment):
        raise EnvironmentVariableError(
            f"The RED parameter {ENVIRONMENT} is {environment!r}. Enter {PRODUCTION}, or {DEVELOPMENT} in a repository"
            " that must write to sandboxes only."
        )
    if parameter:
        token = wherescape.read_parameter(parameter).strip()
        if not token:
            raise EnvironmentVariableError(f"There is no access token of HubSpot in the RED parameter {parameter}.")
    else:
        token, parameter = hubspot_get_token(wherescape, wherescape.table, environment == DEVELOPMENT, portal=portal)
    hubspot = Hubspot(
        token,
        wherescape.source_base_url or BASE_URL,
        credential=f"HubSpot's access token (RED parameter {parameter})",
        **options,
    )
    if writes and environment == DEVELOPMENT:
        with hubspot:
            kind = hubspot.account().get("accountType")
            if kind not in NOT_REAL:
                raise DeclarationError(
                    f"The token in {parameter} is of a portal of the type {kind or 'unknown'}, and {ENVIRONMENT} is"
                    f" {DEVELOPMENT}, which writes to sandboxes only ({', '.join(NOT_REAL)}). Enter a sandbox's token."
                )
        return connect(wherescape, portal=portal, parameter=parameter, **options)
    return hubspot
