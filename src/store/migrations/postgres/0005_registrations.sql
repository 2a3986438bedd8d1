-- A gateway follows what the entries say of parties and keys, and does nothing by a row that they do not say.
CREATE INDEX ledger_entry_registration ON ledger_entry (idx) WHERE type IN ('party', 'key');
