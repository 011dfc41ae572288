-- The job routines of RED 8 and 9 that RED 10 no longer has, since its jobs live in Azkaban. RED 9: Callable Routines.

-- Moves the ended runs of the jobs whose name is LIKE p_job_to_clean from the run to the log tables: those that ended
-- before p_before, save the newest p_keep_count of each job. Returns the number of runs moved.
CREATE FUNCTION red.sandbox_archive_runs(p_job_to_clean varchar, p_before timestamp, p_keep_count integer)
RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_sequences integer[];
BEGIN
    SELECT coalesce(array_agg(wjr_sequence), '{}') INTO v_sequences
      FROM (SELECT wjr_sequence, wjr_completed,
                   row_number() OVER (PARTITION BY wjr_job_key ORDER BY wjr_sequence DESC) AS age
              FROM red.ws_wrk_job_run
             WHERE wjr_name LIKE p_job_to_clean AND wjr_completed IS NOT NULL) AS ended
     WHERE age > p_keep_count AND wjr_completed <= p_before;
    WITH moved AS (DELETE FROM red.ws_wrk_task_run WHERE wtr_sequence = ANY (v_sequences) RETURNING *)
    INSERT INTO red.ws_wrk_task_log SELECT * FROM moved;
    WITH moved AS (DELETE FROM red.ws_wrk_job_run WHERE wjr_sequence = ANY (v_sequences) RETURNING *)
    INSERT INTO red.ws_wrk_job_log SELECT * FROM moved;
    RETURN cardinality(v_sequences);
END
$$;

CREATE FUNCTION red.Ws_Job_Clear_Logs(
    p_sequence integer, p_job_name varchar, p_task_name varchar, p_job_id integer, p_task_id integer,
    p_job_to_clean varchar, p_keep_count integer,
    OUT p_return_code varchar, OUT p_return_msg varchar, OUT p_result integer)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT * INTO p_return_code, p_return_msg, p_result
      FROM red.sandbox_outcome(
        p_sequence, p_job_name, p_task_name, p_job_id, p_task_id, NULL,
        format('%s job run(s) archived.', red.sandbox_archive_runs(p_job_to_clean, localtimestamp, p_keep_count)));
END
$$;

-- A p_day_count of 0 archives all.
CREATE FUNCTION red.Ws_Job_Clear_Logs_By_Date(
    p_sequence integer, p_job_name varchar, p_task_name varchar, p_job_id integer, p_task_id integer,
    p_job_to_clean varchar, p_day_count integer,
    OUT p_return_code varchar, OUT p_return_msg varchar, OUT p_result integer)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT * INTO p_return_code, p_return_msg, p_result
      FROM red.sandbox_outcome(
        p_sequence, p_job_name, p_task_name, p_job_id, p_task_id,
        CASE WHEN p_day_count < 0 THEN format('Day count %s is negative.', p_day_count) END,
        format('%s job run(s) archived.',
               CASE WHEN p_day_count >= 0 THEN
                   red.sandbox_archive_runs(p_job_to_clean, localtimestamp - make_interval(days => p_day_count), 0)
               END));
END
$$;

-- The option TRUNCATE empties the whole archive. RED declares this day count as text.
CREATE FUNCTION red.Ws_Job_Clear_Archive(
    p_sequence integer, p_job_name varchar, p_task_name varchar, p_job_id integer, p_task_id integer,
    p_day_count varchar, p_job varchar, p_options varchar,
    OUT p_return_code varchar, OUT p_return_msg varchar, OUT p_result integer)
LANGUAGE plpgsql AS $$
DECLARE
    v_removed integer;
BEGIN
    WITH removed AS (
        DELETE FROM red.ws_wrk_job_log
         WHERE p_options = 'TRUNCATE'
            OR (wjl_name LIKE p_job AND wjl_completed <= localtimestamp - make_interval(days => p_day_count::integer))
        RETURNING wjl_sequence),
    tasks AS (DELETE FROM red.ws_wrk_task_log WHERE wtl_sequence IN (SELECT wjl_sequence FROM removed))
    SELECT count(*) INTO v_removed FROM removed;
    SELECT * INTO p_return_code, p_return_msg, p_result
      FROM red.sandbox_outcome(p_sequence, p_job_name, p_task_name, p_job_id, p_task_id, NULL,
                               format('%s job run(s) removed from the archive.', v_removed));
END
$$;
