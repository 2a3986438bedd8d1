-- How each witness stands: the newest head it cosigned, and why the ledger is in dispute with it.
CREATE TABLE ledger_witness (
    vkey    TEXT PRIMARY KEY,
    size    INTEGER NOT NULL CHECK (size >= 0),
    dispute TEXT
) STRICT;

-- Which process publishes checkpoints, and until when (microseconds).
CREATE TABLE ledger_publisher (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    holder  TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT;

INSERT INTO ledger_publisher (one, holder, expires) VALUES (1, '', 0);
