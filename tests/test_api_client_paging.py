import itertools
import json
from collections.abc import Callable, Iterator

import pytest

from wherescape.api_client import ApiClient
from wherescape.errors import ApiAnswerInvalid, ApiRefused
from wherescape.testing.api_server import Answer, ApiServer, Request


class PagedServer(ApiServer):
    """Answers page n with what a test's function returns for it: records and the page that comes next."""

    prefix = "/api/v4"
    page: Callable[[int], tuple[object, object]]
    link_base: str = ""
    more: str = ""

    def answer(self, request: Request) -> Answer:
        records, following = self.page(int(request.query.get("page", 1)))
        if isinstance(records, Answer):
            return records
        link = f"{self.link_base or self.url}/api/v4{request.path}?page={following}&kept=yes{self.more}"
        links = {"Link": f'<{link}>; rel="next", <{link}>; rel="first"'} if following else {}
        return Answer(200, json.dumps(records), links)


@pytest.fixture
def server() -> Iterator[PagedServer]:
    with PagedServer() as server:
        yield server


@pytest.fixture
def client(server: PagedServer) -> Iterator[ApiClient]:
    with ApiClient(f"{server.url}/api/v4", max_retries=0) as client:
        yield client


def three_pages(page: int) -> tuple[object, object]:
    return [{"id": page}], page + 1 if page < 3 else None


def test_links_are_followed_to_the_end(server: PagedServer, client: ApiClient) -> None:
    server.page = three_pages
    assert list(client.follow_links("things", {"kept": "yes"})) == [[{"id": 1}], [{"id": 2}], [{"id": 3}]]
    assert [request.query for request in server.requests] == [
        {"kept": "yes"},
        {"kept": "yes", "page": "2"},
        {"kept": "yes", "page": "3"},
    ]


def test_a_page_is_read_only_when_it_is_needed(server: PagedServer, client: ApiClient) -> None:
    server.page = three_pages
    pages = client.follow_links("things")
    next(pages)
    assert len(server.requests) == 1


@pytest.mark.parametrize("link_base", ["http://gitlab.internal:8080", "https://evil.example.com", "//elsewhere"])
def test_the_next_page_is_asked_from_the_same_host(server: PagedServer, client: ApiClient, link_base: str) -> None:
    server.page, server.link_base = three_pages, link_base
    assert len(list(client.follow_links("things"))) == 3


def test_empty_pages_in_between_are_no_end(server: PagedServer, client: ApiClient) -> None:
    server.page = lambda page: ([{"id": page}] if page == 15 else [], page + 1 if page < 15 else None)
    assert [record for page in client.follow_links("things") for record in page] == [{"id": 15}]


def test_empty_pages_without_end_are_an_error(server: PagedServer, client: ApiClient) -> None:
    server.page = lambda page: ([], page + 1)
    with pytest.raises(ApiAnswerInvalid, match="20 empty pages in a row"):
        list(client.follow_links("things"))


@pytest.mark.parametrize("following", [1, 2], ids=["the page before", "the same page"])
@pytest.mark.parametrize("more", ["", "&cursor=a|b", "&cursor=%7e"])
def test_a_page_that_comes_again_is_an_error(
    server: PagedServer, client: ApiClient, following: int, more: str
) -> None:
    server.more = more
    server.page = lambda page: ([{"id": page}], 2 if page == 1 else following)
    with pytest.raises(ApiAnswerInvalid, match="already read"):
        list(itertools.islice(client.follow_links("things", {"page": 1, "kept": "yes"}), 100))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "Something broke"}, "Something broke"),
        ({"error": "invalid", "error_description": "so it is"}, "invalid so it is"),
        ({"id": 1}, "another kind (dict)"),
        (None, "another kind (NoneType)"),
        ([1, 2], "another kind (list)"),
    ],
)
def test_a_page_that_is_no_list_of_records_is_an_error(
    server: PagedServer, client: ApiClient, body: object, said: str
) -> None:
    server.page = lambda page: (body, None)
    with pytest.raises(ApiAnswerInvalid) as raised:
        list(client.follow_links("things"))
    assert said in str(raised.value)


def test_a_missing_paging_header_is_an_error(server: PagedServer, client: ApiClient) -> None:
    server.page = three_pages
    with pytest.raises(ApiAnswerInvalid, match="without the header X-Next-Page"):
        list(client.follow_links("things", paging_header="X-Next-Page"))


def test_a_next_page_without_a_link_to_it_is_an_error(server: PagedServer, client: ApiClient) -> None:
    server.fail_next(Answer(200, "[]", {"X-Next-Page": "2"}))
    with pytest.raises(ApiAnswerInvalid, match="names a next page in the header X-Next-Page, but no link"):
        list(client.follow_links("things", paging_header="X-Next-Page"))


def test_a_failure_half_way_is_no_end(server: PagedServer, client: ApiClient) -> None:
    server.page = lambda page: three_pages(page) if page < 3 else (Answer(404, "{}"), None)
    pages = client.follow_links("things")
    assert [next(pages), next(pages)] == [[{"id": 1}], [{"id": 2}]]
    with pytest.raises(ApiRefused):
        next(pages)


@pytest.mark.parametrize(
    "parameters",
    [
        'title="a=b"; rel="next"',
        'cursor="YWJj=="; rel="next"',
        'cursor=YWJj==; rel="next"',
        'crossorigin; rel="next"',
        'title="x, y; z"; rel="next"',
        'title="a \\"quoted\\" one"; rel=next',
        'rel="Next"',
        'REL="prev next"',
        '  rel = "next"',
    ],
)
def test_a_link_may_have_other_parameters(server: PagedServer, client: ApiClient, parameters: str) -> None:
    things = f"{server.url}/api/v4/things"
    link = f'<{things}?page=1;v=1&filter=a;b>; rel="first", <{things}?page=2>; {parameters}'
    server.page = lambda page: ([{"id": page}] if page > 1 else Answer(200, '[{"id": 1}]', {"Link": link}), None)
    assert list(client.follow_links("things")) == [[{"id": 1}], [{"id": 2}]]


@pytest.mark.parametrize("header", ["garbage", "<unclosed", '<a>; rel="next', '<a>; rel="first", garbage'])
def test_a_link_header_that_cannot_be_read_is_an_error(server: PagedServer, client: ApiClient, header: str) -> None:
    server.page = lambda page: (Answer(200, '[{"id": 1}]', {"Link": header}), None)
    with pytest.raises(ApiAnswerInvalid, match="Link header"):
        list(client.follow_links("things"))
