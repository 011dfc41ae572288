import itertools
import threading
from collections.abc import Iterator

import pytest

from wherescape.concurrency import LOOK_AHEAD, in_parallel, in_reader_thread
from wherescape.errors import DeclarationError

WORKERS = pytest.mark.parametrize("workers", [1, 2, 4, 7])


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "reader"]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert readers() == []


def numbers(parent: int) -> Iterator[tuple[int, int]]:
    """As many records as the parent says."""
    return ((parent, number) for number in range(parent))


@WORKERS
def test_records_come_in_the_order_of_their_parents(workers: int) -> None:
    parents = [3, 0, 2500, 1, 100, 99, 101, 0, 1000, 1100, 1200, 5]
    read = [(parent, list(records)) for parent, records in in_parallel(parents, numbers, workers)]
    assert read == [(parent, list(numbers(parent))) for parent in parents]


@WORKERS
def test_no_parents_are_no_records(workers: int) -> None:
    assert list(in_parallel([], numbers, workers)) == []


def test_workers_read_at_the_same_time() -> None:
    all_there = threading.Barrier(4)

    def read(parent: int) -> Iterator[int]:
        all_there.wait(30)
        yield parent

    assert [list(records) for _, records in in_parallel(range(8), read, 4)] == [[number] for number in range(8)]


@WORKERS
def test_there_are_no_more_readers_than_workers(workers: int) -> None:
    lock, current, most = threading.Lock(), 0, 0

    def read(parent: int) -> Iterator[int]:
        nonlocal current, most
        with lock:
            current += 1
            most = max(most, current)
        yield from range(parent)
        with lock:
            current -= 1

    for _, records in in_parallel([500] * 30, read, workers):
        assert len(list(records)) == 500
    assert 1 <= most <= workers


def test_a_slow_first_parent_does_not_keep_the_others_waiting() -> None:
    others_are_read = threading.Semaphore(0)

    def read(parent: int) -> Iterator[int]:
        if parent == 0:
            for _ in range(6):
                assert others_are_read.acquire(timeout=30)
        else:
            others_are_read.release()
        yield parent

    assert [list(records) for _, records in in_parallel(range(7), read, 4)] == [[number] for number in range(7)]


def test_one_worker_reads_in_the_calling_thread_and_not_ahead() -> None:
    log: list[tuple[int, threading.Thread]] = []

    def read(parent: int) -> Iterator[int]:
        log.append((parent, threading.current_thread()))
        yield parent

    reading = in_parallel([1, 2], read, workers=1)
    next(reading)
    assert log == []
    _, records = next(reading)
    assert list(records) == [2]
    assert log == [(2, threading.current_thread())]


def test_a_reader_thread_knows_that_it_is_one() -> None:
    for workers in (1, 2):
        reading = in_parallel([1], lambda _: iter([in_reader_thread()]), workers)
        assert [list(records) for _, records in reading] == [[workers > 1]]
    assert not in_reader_thread()


def test_parents_are_read_a_little_ahead_only() -> None:
    taken = 0

    def parents() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield 1

    reading = in_parallel(parents(), numbers, workers=4)
    for parent in range(20):
        next(reading)
        assert taken <= parent + 8
    reading.close()


def test_records_are_read_a_thousand_ahead_only() -> None:
    enough, read_ahead = threading.Event(), 0

    def read(parent: int) -> Iterator[int]:
        nonlocal read_ahead
        for number in range(100_000):
            if parent == 1:
                read_ahead = number
                if number == LOOK_AHEAD:
                    enough.set()
            yield number

    reading = in_parallel([0, 1], read, workers=2)
    _, records = next(reading)
    assert enough.wait(30)
    assert sum(1 for _ in records) == 100_000
    assert read_ahead <= LOOK_AHEAD + 200
    reading.close()


class SourceError(Exception):
    """Something that a source does."""


def breaks_at_three(parent: int) -> Iterator[int]:
    yield parent
    if parent == 3:
        raise SourceError(f"parent {parent}")


@WORKERS
def test_an_error_comes_when_it_is_its_parents_turn(workers: int) -> None:
    seen: list[int] = []
    with pytest.raises(SourceError, match="parent 3"):
        for _, records in in_parallel([1, 2, 3, 4, 3], breaks_at_three, workers):
            seen.extend(records)
    assert seen == [1, 2, 3]


@WORKERS
def test_an_error_that_is_caught_leaves_the_next_parent(workers: int) -> None:
    seen: list[int] = []
    for parent, records in in_parallel([3, 1, 3, 2], breaks_at_three, workers):
        try:
            seen.extend(records)
        except SourceError:
            seen.append(-parent)
    assert seen == [3, -3, 1, 3, -3, 2]


@WORKERS
def test_an_error_of_the_parents_comes_behind_the_parents_before(workers: int) -> None:
    def parents() -> Iterator[int]:
        yield from (1, 2)
        raise SourceError("no more parents")

    seen = []
    with pytest.raises(SourceError, match="no more parents"):
        for _, records in in_parallel(parents(), numbers, workers):
            seen.append(len(list(records)))
    assert seen == [1, 2]


@WORKERS
def test_records_that_are_not_asked_for_are_left_out(workers: int) -> None:
    reading = in_parallel([5_000, 3, 5_000, 2], numbers, workers)
    assert [list(itertools.islice(records, 2)) for _, records in reading] == [
        [(parent, 0), (parent, 1)] for parent in (5_000, 3, 5_000, 2)
    ]


def endless(parent: int) -> Iterator[int]:
    return itertools.count(parent)


def test_closing_ends_the_threads() -> None:
    reading = in_parallel(itertools.count(), endless, workers=4)
    _, records = next(reading)
    assert next(records) == 0
    assert len(readers()) == 4
    reading.close()
    assert readers() == []


def test_an_error_of_the_caller_ends_the_threads() -> None:
    reading = in_parallel(itertools.count(), endless, workers=4)
    next(reading)
    with pytest.raises(SourceError):
        reading.throw(SourceError())
    assert readers() == []


def test_a_reader_that_waits_can_be_told_to_end() -> None:
    is_reading, told = threading.Event(), threading.Event()

    def read(parent: int) -> Iterator[int]:
        if parent:
            is_reading.set()
            assert told.wait(30)
        yield parent

    reading = in_parallel([0, 1], read, workers=2, on_abandon=told.set)
    next(reading)
    assert is_reading.wait(30)
    reading.close()
    assert told.is_set()


def test_nobody_is_told_when_all_was_read() -> None:
    told = threading.Event()
    for _, records in in_parallel([1, 2], numbers, workers=2, on_abandon=told.set):
        list(records)
    assert not told.is_set()


def test_there_must_be_a_worker() -> None:
    with pytest.raises(DeclarationError, match="at least one worker"):
        next(in_parallel([1], numbers, workers=0))
