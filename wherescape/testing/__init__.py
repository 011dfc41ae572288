"""Parts to test a connector with, without the API that it reads."""

from wherescape.testing.api_server import Answer, ApiServer, FunctionServer, Refused, Request, json_answer
from wherescape.testing.list_server import ListServer

__all__ = ["Answer", "ApiServer", "FunctionServer", "ListServer", "Refused", "Request", "json_answer"]
