-- Keeps what the repository holds when it is new, so that a reset need not build it again: its rows, where its sequences
-- stand, and what the catalog says, by which a reset finds out whether anything but rows has changed.

DROP SCHEMA IF EXISTS pristine CASCADE;
CREATE SCHEMA pristine;

CREATE FUNCTION pristine.catalog() RETURNS text LANGUAGE sql AS $$
    SELECT md5(string_agg(entry, ',' ORDER BY entry))
      FROM (SELECT concat_ws(' ', 'schema', oid, xmin) FROM pg_namespace WHERE nspname = 'red'
            UNION ALL
            SELECT concat_ws(' ', 'relation', oid, xmin) FROM pg_class WHERE relnamespace = to_regnamespace('red')
            UNION ALL
            SELECT concat_ws(' ', 'column', attrelid, attnum, pg_attribute.xmin)
              FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = to_regnamespace('red')
            UNION ALL
            SELECT concat_ws(' ', 'default', pg_attrdef.oid, pg_attrdef.xmin)
              FROM pg_attrdef JOIN pg_class ON pg_class.oid = adrelid WHERE relnamespace = to_regnamespace('red')
            UNION ALL
            SELECT concat_ws(' ', 'constraint', oid, xmin) FROM pg_constraint
             WHERE connamespace = to_regnamespace('red')
            UNION ALL
            SELECT concat_ws(' ', 'trigger', pg_trigger.oid, pg_trigger.xmin)
              FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE relnamespace = to_regnamespace('red')
            UNION ALL
            SELECT concat_ws(' ', 'rule', pg_rewrite.oid, pg_rewrite.xmin)
              FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class WHERE relnamespace = to_regnamespace('red')
            UNION ALL
            SELECT concat_ws(' ', 'routine', oid, xmin) FROM pg_proc WHERE pronamespace = to_regnamespace('red')
           ) AS entries (entry)
$$;

CREATE FUNCTION pristine.tables() RETURNS SETOF name LANGUAGE sql AS $$
    -- As they were made, so that each comes behind those that it refers to.
    SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('red') AND relkind = 'r' ORDER BY oid
$$;

-- Returns whether the repository is as it was when it was new.
CREATE FUNCTION pristine.restore() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    tables name[] := ARRAY(SELECT pristine.tables());
    kept record;
BEGIN
    IF pristine.catalog() IS DISTINCT FROM (SELECT catalog FROM pristine.state) THEN
        RETURN false;
    END IF;
    -- What an open transaction has changed would come back when that commits.
    EXECUTE (SELECT format('LOCK TABLE %s', string_agg(format('red.%I', name), ', ')) FROM unnest(tables) AS name);
    FOR position IN REVERSE cardinality(tables)..1 LOOP
        EXECUTE format('DELETE FROM red.%I', tables[position]);
    END LOOP;
    FOR kept IN SELECT tablename FROM pg_tables JOIN unnest(tables) WITH ORDINALITY AS made (name, position)
                    ON tablename = name
                 WHERE schemaname = 'pristine' ORDER BY position LOOP
        EXECUTE format('INSERT INTO red.%1$I OVERRIDING SYSTEM VALUE SELECT * FROM pristine.%1$I', kept.tablename);
    END LOOP;
    PERFORM setval(format('red.%I', sequence)::regclass, coalesce(last_value, start_value), last_value IS NOT NULL)
       FROM pristine.sequences;
    RETURN true;
END
$$;

DO $$
DECLARE
    found name;
    is_empty boolean;
BEGIN
    FOR found IN SELECT pristine.tables() LOOP
        EXECUTE format('SELECT NOT EXISTS (SELECT FROM red.%I)', found) INTO is_empty;
        IF NOT is_empty THEN
            EXECUTE format('CREATE TABLE pristine.%1$I AS TABLE red.%1$I', found);
        END IF;
    END LOOP;
END
$$;

CREATE TABLE pristine.sequences AS
SELECT sequencename AS sequence, last_value, start_value FROM pg_sequences WHERE schemaname = 'red';

CREATE TABLE pristine.state AS SELECT pristine.catalog() AS catalog;
