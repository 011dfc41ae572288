"""A column may have any name that the database takes."""

from tests.loading import item_table, load_table, rejects, stored
from wherescape import Column
from wherescape.sandbox.red_server import RedServer

NAMES = [
    *(
        "default",
        "order",
        "select",
        "user",
        "end",
        "a b",
        "Ü",
        "UPPER",
        "1st",
        'a "quoted" name',
        "it's",
        "a]b",
        "[c]",
    ),
    *(
        "100%",
        "%s",
        "%(n)s",
        "what?",
        "?",
        "{0}",
        "$1",
        ":n",
        "a,b",
        "a;b",
        "(",
        "--",
        "/*",
        "\\",
        "a.b",
        "😀",
        "tab\t",
    ),
]


def test_every_name_at_once(clean_red: RedServer) -> None:
    table = item_table(*(Column(name, "text") for name in NAMES))
    with load_table(clean_red, table) as wherescape:
        result = wherescape.load(table, [{"n": 1, **{name: f"value of {name}" for name in NAMES}}])
    assert (result.inserted, result.rejected) == (1, 0)
    assert stored(clean_red, "*, 0") == [
        (1, *(f"value of {name}" for name in NAMES), "items api", wherescape.run_started.replace(tzinfo=None), 0)
    ]


def test_a_reject_names_the_column_as_it_is_declared(clean_red: RedServer) -> None:
    table = item_table(*(Column(name, "integer") for name in NAMES))
    with load_table(clean_red, table) as wherescape:
        wherescape.load(table, [{"n": 0, **dict.fromkeys(NAMES, 1)}, *({"n": 1, name: "one"} for name in NAMES)])
        found = rejects(wherescape)
    assert [reject["column"] for reject in found] == NAMES
    assert [reject["raw"] for reject in found] == [{"n": 1, name: "one"} for name in NAMES]
    assert len(stored(clean_red)) == 1


def test_the_key_of_a_record_may_have_any_name(clean_red: RedServer) -> None:
    table = item_table(*(Column(f"c{number}", "text", source=name) for number, name in enumerate(NAMES)))
    with load_table(clean_red, table) as wherescape:
        wherescape.load(table, [{"n": 1} | {name: name for name in NAMES}])
    assert list(stored(clean_red, "*")[0][1 : len(NAMES) + 1]) == NAMES
