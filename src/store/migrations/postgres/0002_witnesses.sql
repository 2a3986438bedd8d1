-- How each witness stands: the newest head it cosigned, and why the ledger is in dispute with it.
CREATE TABLE ledger_witness (
    vkey    TEXT COLLATE "C" PRIMARY KEY,
    size    BIGINT NOT NULL CHECK (size >= 0),
    dispute TEXT COLLATE "C"
);

-- Which process publishes checkpoints, and until when (microseconds).
CREATE TABLE ledger_publisher (
    one     BIGINT PRIMARY KEY CHECK (one = 1),
    holder  TEXT COLLATE "C" NOT NULL,
    expires BIGINT NOT NULL
);

INSERT INTO ledger_publisher (one, holder, expires) VALUES (1, '', 0);
