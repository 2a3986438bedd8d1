-- The ledger takes another name only together with the one entry that says so (docs/ledger.md section 8).
CREATE OR REPLACE FUNCTION tsunagi_head_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.size < OLD.size OR NEW.last_time < OLD.last_time OR NEW.rights_epoch < OLD.rights_epoch THEN
        RAISE EXCEPTION 'ledger_head only moves forward';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION tsunagi_head_origin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM ledger_entry
        WHERE idx = OLD.size AND NEW.size = OLD.size + 1 AND type = 'ledger_opened'
            AND convert_from(body, 'UTF8')::jsonb #>> '{reopens,from}' = OLD.origin
            AND convert_from(body, 'UTF8')::jsonb #>> '{reopens,origin}' = NEW.origin
    ) THEN
        RAISE EXCEPTION 'ledger_head changes its origin only with the entry that records it';
    END IF;
    RETURN NULL;
END $$;
-- At the commit, because the statement that moves the head inserts the entry too.
CREATE CONSTRAINT TRIGGER ledger_head_origin AFTER UPDATE ON ledger_head DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.origin <> NEW.origin) EXECUTE FUNCTION tsunagi_head_origin();
ALTER TABLE ledger_head ENABLE ALWAYS TRIGGER ledger_head_origin;
