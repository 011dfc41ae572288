"""Reads the records of several parents at once: in the parents' order, with few threads and in bounded memory."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from queue import Empty, Queue, SimpleQueue
from typing import Generic, TypeVar

from wherescape.errors import DeclarationError

P = TypeVar("P")
R = TypeVar("R")

LOOK_AHEAD = 1_000
CHUNK_SIZE = 100
PARENTS_PER_WORKER = 2

_thread = threading.local()


def in_reader_thread() -> bool:
    """Tell whether the caller runs in a thread that `in_parallel` has started."""
    return getattr(_thread, "is_reader", False)


def in_parallel(
    parents: Iterable[P],
    read: Callable[[P], Iterable[R]],
    workers: int = 4,
    *,
    on_abandon: Callable[[], object] = lambda: None,
) -> Generator[tuple[P, Iterator[R]], None, None]:
    """Read the records of several parents at once, and hand them on one parent after the other.

    What is yielded does not depend on the number of workers: the parents come in their order, and an error comes where
    it would come with one worker. A parent's error is raised by its records; whoever catches it may go on with the
    next parent. Records of a parent that were not asked for are left out.

    Closing the generator, or an error in it, ends the threads: each at its next record. Close it with
    `contextlib.closing`, since a traceback may keep it alive.

    Arguments:
        parents: read only a little ahead, in the calling thread.
        read: gives the records of a parent; called in other threads, and read about a thousand records ahead.
        workers: how many parents are read at once; 1 reads in the calling thread, and not ahead.
        on_abandon: called when the reading ends early, to end what a `read` waits for.

    Raises:
        DeclarationError: there are no workers.
    """
    if workers < 1:
        raise DeclarationError(f"There must be at least one worker to read with, not {workers}.")
    if workers == 1:
        try:
            for parent in parents:
                yield parent, _read_lazily(read, parent)
        except BaseException:
            on_abandon()
            raise
        return

    failures: list[Exception] = []
    coming = _readings(parents, read, failures)
    started: deque[_Reading[P, R]] = deque()
    tasks: SimpleQueue[_Reading[P, R] | None] = SimpleQueue()
    threads = [threading.Thread(target=_work, args=(tasks,), name="reader", daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        while True:
            for reading in islice(coming, workers * PARENTS_PER_WORKER - len(started)):
                started.append(reading)
                tasks.put(reading)
            if not started:
                break
            yield started[0].parent, started[0].records()
            started.popleft().abandon()
    except BaseException:
        for reading in started:
            reading.abandon()
        on_abandon()
        raise
    finally:
        for _ in threads:
            tasks.put(None)
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


def _read_lazily(read: Callable[[P], Iterable[R]], parent: P) -> Iterator[R]:
    yield from read(parent)


def _readings(
    parents: Iterable[P], read: Callable[[P], Iterable[R]], failures: list[Exception]
) -> Iterator["_Reading[P, R]"]:
    """Yield what is to be read; an error of the parents is kept until those before it are through."""
    try:
        for parent in parents:
            yield _Reading(parent, read)
    except Exception as error:
        failures.append(error)


def _work(tasks: "SimpleQueue[_Reading[P, R] | None]") -> None:
    _thread.is_reader = True
    while (reading := tasks.get()) is not None:
        reading.run()


@dataclass
class _Chunk(Generic[R]):
    records: list[R]
    is_last: bool = False
    error: BaseException | None = None


class _Reading(Generic[P, R]):
    """A parent's records on their way from the thread that reads them."""

    def __init__(self, parent: P, read: Callable[[P], Iterable[R]]) -> None:
        self.parent = parent
        self._read = read
        self._chunks: Queue[_Chunk[R]] = Queue(LOOK_AHEAD // CHUNK_SIZE)
        self._is_abandoned = threading.Event()

    def run(self) -> None:
        """Read the records, in a reader thread."""
        if self._is_abandoned.is_set():
            return
        chunk = _Chunk[R]([])
        try:
            for record in self._read(self.parent):
                if self._is_abandoned.is_set():
                    return
                chunk.records.append(record)
                if len(chunk.records) == CHUNK_SIZE:
                    self._chunks.put(chunk)
                    chunk = _Chunk([])
        except BaseException as error:
            chunk.error = error
        chunk.is_last = True
        self._chunks.put(chunk)

    def records(self) -> Iterator[R]:
        """Yield the records, in the calling thread."""
        while True:
            chunk = self._chunks.get()
            yield from chunk.records
            if chunk.error:
                raise chunk.error
            if chunk.is_last:
                return

    def abandon(self) -> None:
        """Let the reader thread end at its next record; one that waits for room finds it."""
        self._is_abandoned.set()
        with suppress(Empty):
            while True:
                self._chunks.get_nowait()
