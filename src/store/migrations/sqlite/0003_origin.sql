-- The ledger takes another name only together with the one entry that says so (docs/ledger.md section 8).
DROP TRIGGER ledger_head_forward;
CREATE TRIGGER ledger_head_forward BEFORE UPDATE ON ledger_head
WHEN NEW.size < OLD.size OR NEW.last_time < OLD.last_time OR NEW.rights_epoch < OLD.rights_epoch
BEGIN SELECT RAISE(ABORT, 'ledger_head only moves forward'); END;
CREATE TRIGGER ledger_head_origin BEFORE UPDATE ON ledger_head
WHEN NEW.origin <> OLD.origin AND NOT EXISTS (
    SELECT 1 FROM ledger_entry
    WHERE idx = OLD.size AND NEW.size = OLD.size + 1 AND type = 'ledger_opened'
        AND json_extract(CAST(body AS TEXT), '$.reopens.from') = OLD.origin
        AND json_extract(CAST(body AS TEXT), '$.reopens.origin') = NEW.origin
)
BEGIN SELECT RAISE(ABORT, 'ledger_head changes its origin only with the entry that records it'); END;
