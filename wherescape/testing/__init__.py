"""Parts to test a connector with, without the API that it reads."""

from wherescape.testing.api_server import Answer, ApiServer, FunctionServer, Refused, Request, json_answer

__all__ = ["Answer", "ApiServer", "FunctionServer", "Refused", "Request", "json_answer"]
