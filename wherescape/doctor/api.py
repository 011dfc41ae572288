"""Examines the API of a connector by the smallest call that needs the login."""

from collections.abc import Iterator

import requests
from urllib3.exceptions import NameResolutionError, TimeoutError

from wherescape.catalogue import Connector
from wherescape.doctor.databases import check_clock
from wherescape.doctor.findings import Finding
from wherescape.errors import ApiAnswerInvalid, ApiError, ApiRateLimited, ApiRefused, ApiUnavailable
from wherescape.wherescape import WhereScape

TOPIC = "API"
NO_ANSWER = (
    "A firewall may drop what is sent: let this machine reach the host in WSL_SRCCFG_URL, or set HTTPS_PROXY if the"
    " way out is a proxy. A slow server gets more time with --seconds."
)
_REFUSED = {
    401: "Make a new login there and enter it in the RED connection of the load table (WSL_SRCCFG_APIKEY), or in the"
    " RED parameter that the connector reads it from.",
    403: "Give the login the right to read, or enter another one; the address of this machine may be blocked, too.",
    404: "There is no such API at this address: enter that of the server alone as WSL_SRCCFG_URL.",
}


def check_api(wherescape: WhereScape, connector: Connector) -> Iterator[Finding]:
    """Make one small call with the login of the RED connection.

    Raises:
        EnvironmentVariableError, DeclarationError: address or login are missing, or have a wrong form.
    """
    with connector.connect(wherescape, max_retries=0, max_wait_seconds=1) as api:
        try:
            api.check_login()
        except ApiError as error:
            yield Finding(TOPIC, "error", str(error), _mend_of(error))
            return
        moment = api.extraction.started
    yield Finding(TOPIC, "ok", f"{connector.title} answers, and accepts the login")
    if moment:
        yield check_clock(connector.title, moment)
    else:
        yield Finding(
            "clock",
            "warning",
            f"{connector.title} does not tell its time.",
            "Let the proxy between here and there leave the header Date in its answers: marks depend on it.",
        )


def _mend_of(error: ApiError) -> str:
    """Return what to do about an error of an API, by its cause."""
    if isinstance(error, ApiRefused):
        if 300 <= error.status_code < 400:
            return "Enter the address that it has moved to as WSL_SRCCFG_URL; a login page is at the wrong address."
        return _REFUSED.get(error.status_code, "Check WSL_SRCCFG_URL: the server does not understand the request.")
    if isinstance(error, ApiRateLimited):
        return "Wait, and do not let several loads use one login at once."
    if isinstance(error, ApiAnswerInvalid):
        return (
            "Open WSL_SRCCFG_URL in a browser on this machine: a login page, or one of a proxy, shows what stands"
            " between. Enter the address of the API."
        )
    if isinstance(error, ApiUnavailable) and error.status_code is not None:
        return "The server has a fault of its own: look at its state, and try again."
    return _mend_of_connection(list(_causes(error)))


def _mend_of_connection(causes: list[BaseException]) -> str:
    def is_one(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if is_one(requests.exceptions.ProxyError):
        return "Correct HTTPS_PROXY and HTTP_PROXY, or add the host to NO_PROXY if no proxy is to be used for it."
    if is_one(requests.exceptions.SSLError):
        return (
            "Save the certificate of the company's own authority as a PEM file and name it in REQUESTS_CA_BUNDLE. If"
            " the server speaks plain HTTP, enter an address with http://."
        )
    if is_one(NameResolutionError):
        return "The host's name is not known here: correct WSL_SRCCFG_URL, or ask for the name in the network's DNS."
    if is_one(requests.exceptions.Timeout, TimeoutError) and not is_one(ConnectionRefusedError):
        return NO_ANSWER
    return "Nothing listens there: correct host and port in WSL_SRCCFG_URL, and check that the server is up."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the errors that led to one, from the outermost inwards."""
    while error is not None:
        yield error
        inner = getattr(error, "reason", None) or next((a for a in error.args if isinstance(a, Exception)), None)
        error = inner if isinstance(inner, Exception) else error.__cause__ or error.__context__
