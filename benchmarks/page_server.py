"""A server of prepared pages in a process of its own, so that it costs the client as little as possible.

`/issues?page=1` and so on are pages of issues; `/parents/7` is a short list that takes its time.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import formatdate

from benchmarks import issues

PARENTS_PATH = b"/parents/"


@contextmanager
def serve(pages: int = 0, seconds: float = 0.0) -> Iterator[str]:
    """Run the server in a process of its own and give its address.

    Arguments:
        pages: how many pages of issues there are.
        seconds: how long the list of a parent takes.
    """
    command = [sys.executable, "-m", "benchmarks.page_server", str(pages), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def answer(body: object, *headers: str) -> bytes:
    """Return a whole HTTP answer."""
    content = json.dumps(body, ensure_ascii=False).encode()
    lines = ["HTTP/1.1 200 OK", f"Date: {formatdate(usegmt=True)}", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(content)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


class Connection(asyncio.Protocol):
    """A client's connection, which stays open.

    Arguments:
        answers: by path.
        seconds: how long the list of a parent takes.
    """

    def __init__(self, answers: Mapping[bytes, bytes], seconds: float) -> None:
        self._answers = answers
        self._seconds = seconds
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers are written to."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that has arrived whole."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            request, _, self._received = self._received.partition(b"\r\n\r\n")
            path = request.split(b" ", 2)[1]
            if path.startswith(PARENTS_PATH):
                asyncio.get_running_loop().call_later(self._seconds, self._transport.write, self._answers[b""])
            else:
                self._transport.write(self._answers[path])


def answers(pages: int) -> dict[bytes, bytes]:
    """Prepare all answers: the pages of issues by path, and the list of any parent under an empty one."""
    prepared = {b"": answer([{"id": 1, "title": "One"}])}
    for number in range(1, pages + 1):
        following = number + 1 if number < pages else ""
        headers = [f"X-Next-Page: {following}", f"X-Total: {pages * issues.PAGE_SIZE}"]
        if following:
            headers.append(f'Link: <http://127.0.0.1/issues?page={following}>; rel="next"')
        prepared[b"/issues?page=%d" % number] = answer(issues.page(number), *headers)
    return prepared


async def main(pages: int, seconds: float) -> None:
    """Serve until the process is ended; print the port first."""
    prepared = answers(pages)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(prepared, seconds), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
