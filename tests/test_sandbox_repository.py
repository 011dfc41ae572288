"""The stand-in's repository has RED's tables and routines, and creates tables from its metadata."""

import pytest

from wherescape.errors import SandboxError
from wherescape.sandbox import RedServer

COMMON = (1, "Job", "Task", 0, 0)


def call(red: RedServer, routine: str, *values: object) -> tuple[object, ...]:
    kinds = ["integer" if isinstance(value, int) else "varchar" for value in values]
    inputs = ", ".join(f"CAST(? AS {kind})" for kind in kinds)
    return tuple(red.query_repository(f"SELECT * FROM red.{routine}({inputs})", values)[0])


def add_column(red: RedServer, key: int, name: str, data_type: str, order: int, **more: object) -> None:
    values = {"lc_obj_key": key, "lc_col_name": name, "lc_data_type": data_type, "lc_order": order, **more}
    red.query_repository(
        f"INSERT INTO red.ws_load_col ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
        list(values.values()),
    )


@pytest.mark.parametrize(
    "table",
    [
        *("ws_obj_object", "ws_obj_type", "ws_obj_versions", "ws_object_attributes", "ws_table_attributes"),
        *("ws_meta_names", "ws_ext_prop_def", "ws_ext_prop_value", "ws_dbc_connect", "ws_dbc_target"),
        *("ws_load_tab", "ws_load_col", "ws_stage_tab", "ws_stage_col", "ws_fact_tab", "ws_fact_col"),
        *("ws_dim_tab", "ws_dim_col", "ws_ods_tab", "ws_ods_col", "ws_normal_tab", "ws_agg_tab", "ws_retro_tab"),
        *("ws_view_tab", "ws_export_tab", "dss_parameter", "ws_wrk_audit_log", "ws_wrk_error_log"),
        *("ws_wrk_task_run", "ws_wrk_task_log", "ws_wrk_task_ctrl", "ws_wrk_job_run", "ws_wrk_job_log"),
        *("ws_wrk_job_ctrl", "ws_scr_header", "ws_scr_line", "ws_pro_line", "ws_tem_line", "ws_script_language"),
    ],
)
def test_red_s_tables_are_there(red: RedServer, table: str) -> None:
    assert red.query_repository("SELECT to_regclass(?)", [f"red.{table}"])[0][0] is not None


def test_every_column_of_a_table_has_the_table_s_prefix(red: RedServer) -> None:
    strangers = red.query_repository(
        """
        SELECT table_name, column_name FROM (
            SELECT table_name, column_name,
                   count(*) OVER (PARTITION BY table_name, split_part(column_name, '_', 1)) AS alike,
                   count(*) OVER (PARTITION BY table_name) AS columns
              FROM information_schema.columns WHERE table_schema = 'red') AS counted
         WHERE alike <> columns
        """
    )
    assert strangers == []


def test_a_parameter_is_added_then_updated(clean_red: RedServer) -> None:
    assert call(clean_red, "WsParameterWrite", "mark", "one", "comment") == (2,)
    assert call(clean_red, "WsParameterWrite", "mark", "two", None) == (1,)
    assert call(clean_red, "WsParameterRead", "mark") == ("two", "comment")
    assert call(clean_red, "WsParameterReadF", "mark") == ("two",)


def test_an_unknown_parameter_reads_as_nulls(clean_red: RedServer) -> None:
    assert call(clean_red, "WsParameterRead", "nothing") == (None, None)
    assert clean_red.read_parameter("nothing") is None


def test_parameter_names_are_case_sensitive(clean_red: RedServer) -> None:
    clean_red.write_parameter("Mark", "upper")
    assert call(clean_red, "WsParameterRead", "mark") == (None, None)


@pytest.mark.parametrize("name", ["", None])
def test_a_parameter_without_a_name_is_not_written(clean_red: RedServer, name: str | None) -> None:
    assert call(clean_red, "WsParameterWrite", name, "value", None) == (-3,)


@pytest.mark.parametrize(
    ("routine", "values"),
    [
        ("WsParameterRead", ("n" * 65,)),
        ("WsParameterWrite", ("n" * 65, "value", None)),
        ("WsParameterWrite", ("name", "v" * 2001, None)),
        ("WsParameterWrite", ("name", "value", "c" * 257)),
        ("WsWrkAudit", ("I", "Job", "Task", 1, "m" * 257, None, None, 0, 0)),
        ("WsWrkAudit", ("I", "j" * 65, "Task", 1, "message", None, None, 0, 0)),
        ("WsWrkError", ("I", "Job", "Task", 1, "m" * 257, None, None, 0, 0, None)),
    ],
)
def test_a_value_that_is_too_long_is_refused(clean_red: RedServer, routine: str, values: tuple[object, ...]) -> None:
    with pytest.raises(SandboxError, match="value too long"):
        call(clean_red, routine, *values)


def test_the_widest_parameter_fits(clean_red: RedServer) -> None:
    assert call(clean_red, "WsParameterWrite", "n" * 64, "v" * 2000, "c" * 256) == (2,)
    assert call(clean_red, "WsParameterRead", "n" * 64) == ("v" * 2000, "c" * 256)


def test_audit_and_detail_are_counted_for_a_running_task(clean_red: RedServer) -> None:
    task = clean_red.start_task("load_x")
    keys = int(task["WSL_TASK_KEY"]), int(task["WSL_JOB_KEY"])
    sequence = int(task["WSL_SEQUENCE"])
    assert call(clean_red, "WsWrkAudit", "I", "Sandbox", "load_x", sequence, "audit", None, None, *keys) == (1,)
    assert call(clean_red, "WsWrkError", "E", "Sandbox", "load_x", sequence, "detail", "1", "x", *keys, "type") == (1,)
    run = clean_red.query_repository("SELECT wtr_info_count, wtr_detail_count FROM red.ws_wrk_task_run")
    assert [tuple(row) for row in run] == [(1, 1)]
    audit = clean_red.query_repository(
        "SELECT wa_status, wa_message, wa_task_key, wa_job_key FROM red.ws_wrk_audit_log"
    )
    assert [tuple(row) for row in audit] == [("I", "audit", *keys)]
    detail = clean_red.query_repository("SELECT wd_status, wd_message, wd_msg_type FROM red.ws_wrk_error_log")
    assert [tuple(row) for row in detail] == [("E", "detail", "type")]


def test_an_unknown_status_letter_is_not_written(clean_red: RedServer) -> None:
    assert call(clean_red, "WsWrkAudit", "X", "Job", "Task", 1, "message", None, None, 0, 0) == (-3,)
    assert clean_red.query_repository("SELECT * FROM red.ws_wrk_audit_log") == []


@pytest.mark.parametrize(("routine", "more"), [("WsWrkAuditBulk", ()), ("WsWrkErrorBulk", ("type",))])
def test_bulk_messages_are_split_at_line_feed_and_tilde(
    clean_red: RedServer, routine: str, more: tuple[str, ...]
) -> None:
    task = clean_red.start_task("load_x")
    sequence, job_key, task_key = (int(task[f"WSL_{name}"]) for name in ("SEQUENCE", "JOB_KEY", "TASK_KEY"))
    values = ("I", "Sandbox", "load_x", sequence, "one\ntwo~three\n", None, None, job_key, task_key, *more)
    assert call(clean_red, routine, *values) == (1,)
    log, prefix = ("audit", "wa") if routine == "WsWrkAuditBulk" else ("error", "wd")
    rows = clean_red.query_repository(
        f"SELECT {prefix}_message, {prefix}_task_key FROM red.ws_wrk_{log}_log ORDER BY {prefix}_row"
    )
    assert [tuple(row) for row in rows] == [("one", task_key), ("two", task_key), ("three", task_key)]


@pytest.mark.parametrize("messages", ["fits\n" + "m" * 257, "four\n" * 6554])
def test_bulk_messages_that_do_not_fit_are_all_refused(clean_red: RedServer, messages: str) -> None:
    assert call(clean_red, "WsWrkAuditBulk", "I", "Job", "Task", 1, messages, None, None, 0, 0) == (-2,)
    assert clean_red.query_repository("SELECT * FROM red.ws_wrk_audit_log") == []


def test_task_counters_need_a_running_task(clean_red: RedServer) -> None:
    task = clean_red.start_task("load_x")
    keys = [int(task[f"WSL_{name}"]) for name in ("JOB_KEY", "TASK_KEY", "SEQUENCE")]
    assert call(clean_red, "WsWrkTask", *keys, 1, 2, 3, 4, 5, 6, 7) == (0,)
    counted = clean_red.query_repository(
        "SELECT wtr_inserted, wtr_updated, wtr_replaced, wtr_deleted, wtr_discarded, wtr_rejected, wtr_errored "
        "FROM red.ws_wrk_task_run"
    )
    assert tuple(counted[0]) == (1, 2, 3, 4, 5, 6, 7)
    assert call(clean_red, "WsWrkTask", *keys[:2], keys[2] + 1, 1, 0, 0, 0, 0, 0, 0) == (-3,)
    clean_red.query_repository("UPDATE red.ws_wrk_task_run SET wtr_run_status = 'C'")
    assert call(clean_red, "WsWrkTask", *keys, 9, 0, 0, 0, 0, 0, 0) == (-1,)


def test_a_load_table_changes_its_connection(clean_red: RedServer) -> None:
    clean_red.register_load_table("load_x")
    code, message, result = call(clean_red, "Ws_Load_Change", *COMMON, "CONNECTION", "load_x", "Warehouse")
    assert (code, result) == ("S", 1)
    connected = "SELECT dc_name FROM red.ws_load_tab JOIN red.ws_dbc_connect ON dc_obj_key = lt_connect_key"
    assert clean_red.query_repository(connected)[0][0] == "Warehouse"
    code, message, result = call(clean_red, "Ws_Connect_Replace", *COMMON, "REPLACE", "Warehouse", "API Source")
    assert (code, result) == ("S", 1)
    assert clean_red.query_repository(connected)[0][0] == "API Source"


def test_a_routine_that_fails_says_why_and_leaves_an_audit_row(clean_red: RedServer) -> None:
    code, message, result = call(clean_red, "Ws_Load_Change", *COMMON, "SCHEMA", "load_nothing", "x")
    assert (code, message, result) == ("E", "Load table 'load_nothing' does not exist.", -2)
    assert clean_red.query_repository("SELECT wa_message FROM red.ws_wrk_audit_log")[0][0] == message


def test_old_versions_are_removed_but_for_the_newest(clean_red: RedServer) -> None:
    clean_red.query_repository(
        "INSERT INTO red.ws_obj_versions (ov_obj_key, ov_creation_date) "
        "SELECT 1, localtimestamp - make_interval(days => age) FROM unnest(ARRAY[30, 20, 10, 0]) AS age"
    )
    assert call(clean_red, "Ws_Version_Clear", *COMMON, 15, 1, None) == ("S", "2 version(s) removed.", 1)
    assert call(clean_red, "Ws_Version_Clear", *COMMON, 0, 1, None) == ("S", "1 version(s) removed.", 1)


def test_red_10_has_no_job_routines(red: RedServer) -> None:
    assert red.query_repository("SELECT proname FROM pg_proc WHERE proname ILIKE 'ws%job%'") == []


def test_job_routines_of_red_9_archive_and_clear() -> None:
    with RedServer(with_job_routines=True) as red:
        for name in ("Night", "Night", "Day"):
            red.start_task("load_x", name)
        red.query_repository("UPDATE red.ws_wrk_job_run SET wjr_status = 'C', wjr_completed = localtimestamp")
        assert call(red, "Ws_Job_Clear_Logs", *COMMON, "Ni%", 1) == ("S", "1 job run(s) archived.", 1)
        assert call(red, "Ws_Job_Clear_Logs_By_Date", *COMMON, "%", 1) == ("S", "0 job run(s) archived.", 1)
        assert call(red, "Ws_Job_Clear_Logs_By_Date", *COMMON, "%", -1)[0] == "E"
        assert call(red, "Ws_Job_Clear_Logs_By_Date", *COMMON, "%", 0) == ("S", "2 job run(s) archived.", 1)
        assert red.query_repository("SELECT count(*) FROM red.ws_wrk_task_log")[0][0] == 3
        kept = ("S", "0 job run(s) removed from the archive.", 1)
        assert call(red, "Ws_Job_Clear_Archive", *COMMON, "1", "%", None) == kept
        cleared = ("S", "3 job run(s) removed from the archive.", 1)
        assert call(red, "Ws_Job_Clear_Archive", *COMMON, "1", "%", "TRUNCATE") == cleared
        assert red.query_repository("SELECT * FROM red.ws_wrk_task_log") == []


def test_a_routine_can_be_spelled_as_in_another_release(clean_red: RedServer) -> None:
    clean_red.write_parameter("mark", "one")
    with clean_red.renamed_routine("WsParameterRead", "Ws_Parameter_Read"):
        assert call(clean_red, "Ws_Parameter_Read", "mark") == ("one", None)
        with pytest.raises(SandboxError, match="does not exist"):
            call(clean_red, "WsParameterRead", "mark")
    assert call(clean_red, "WsParameterRead", "mark") == ("one", None)


def test_registering_a_load_table_twice_keeps_its_key(clean_red: RedServer) -> None:
    key = clean_red.register_load_table("load_x", "https://one", "options")
    assert clean_red.register_load_table("load_x", "https://two") == key
    rows = clean_red.query_repository("SELECT lt_obj_key, lt_file_path, lt_file_name FROM red.ws_load_tab")
    assert [tuple(row) for row in rows] == [(key, "https://two", "")]
    kind = clean_red.query_repository(
        "SELECT ot_description, dt_schema FROM red.ws_obj_object JOIN red.ws_obj_type ON ot_type_key = oo_type_key "
        "JOIN red.ws_dbc_target ON dt_target_key = oo_target_key WHERE oo_obj_key = ?",
        [key],
    )
    assert tuple(kind[0]) == ("Load Table", "load")


def test_one_name_is_not_two_kinds_of_table(clean_red: RedServer) -> None:
    clean_red.register_load_table("orders")
    with pytest.raises(SandboxError, match="'orders' is a Load Table already"):
        clean_red.register_stage_table("orders")


def test_a_table_is_created_from_its_columns_in_order(clean_red: RedServer) -> None:
    key = clean_red.register_load_table("load_x")
    add_column(clean_red, key, "last", "timestamp", 99999992, lc_nulls_flag="Y")
    add_column(clean_red, key, 'od"d Name', "varchar(10)", 20, lc_src_strategy="What's odd?", lc_default_value="'?'")
    add_column(clean_red, key, "id", "numeric(38, 10)", 10, lc_nulls_flag="N")
    clean_red.create_table("load_x")
    columns = clean_red.query_warehouse(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull::integer, col_description(attrelid, attnum) "
        "FROM pg_attribute WHERE attrelid = 'load.load_x'::regclass AND attnum > 0 ORDER BY attnum"
    )
    assert [tuple(column) for column in columns] == [
        ("id", "numeric(38,10)", 1, None),
        ('od"d Name', "character varying(10)", 0, "What's odd?"),
        ("last", "timestamp without time zone", 0, None),
    ]
    clean_red.query_warehouse("INSERT INTO load.load_x (id) VALUES (1)")
    assert clean_red.query_warehouse('SELECT "od""d Name" FROM load.load_x')[0][0] == "?"


def test_creating_a_table_again_drops_the_old_one(clean_red: RedServer) -> None:
    key = clean_red.register_load_table("load_x")
    add_column(clean_red, key, "a", "integer", 10)
    clean_red.create_table("load_x")
    clean_red.query_warehouse("INSERT INTO load.load_x VALUES (1)")
    add_column(clean_red, key, "b", "integer", 20)
    clean_red.create_table("load_x")
    assert clean_red.query_warehouse("SELECT count(b) FROM load.load_x")[0][0] == 0


def test_a_stage_table_is_created_in_its_own_schema(clean_red: RedServer) -> None:
    key = clean_red.register_stage_table("stage_x")
    assert clean_red.register_stage_table("stage_x") == key
    clean_red.query_repository(
        "INSERT INTO red.ws_stage_col (sc_obj_key, sc_col_name, sc_data_type, sc_order) VALUES (?, 'a', 'text', 10)",
        [key],
    )
    clean_red.create_table("stage_x")
    assert clean_red.query_warehouse("SELECT a FROM stage.stage_x") == []


def test_a_table_without_columns_is_not_created(clean_red: RedServer) -> None:
    clean_red.register_load_table("load_x")
    with pytest.raises(SandboxError, match="no columns for table 'load_x'"):
        clean_red.create_table("load_x")


def test_a_type_that_postgresql_does_not_know_is_named(clean_red: RedServer) -> None:
    add_column(clean_red, clean_red.register_load_table("load_x"), "a", "datetime2", 10)
    with pytest.raises(SandboxError, match='type "datetime2" does not exist'):
        clean_red.create_table("load_x")
