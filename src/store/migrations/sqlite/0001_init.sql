-- Times are microseconds since the Unix epoch, digests and ids of our own are BLOBs, codes and party ids are TEXT.
-- idx in a business table names the entry it came with. No foreign key: leaves are written last, in one statement, and a deferred key would search every
-- business table for each new leaf.

-- The ledger -----------------------------------------------------------------------------------------------------------------

CREATE TABLE ledger_head (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    origin       TEXT    NOT NULL,
    size         INTEGER NOT NULL CHECK (size >= 0),
    root         BLOB    NOT NULL CHECK (length(root) = 32),
    frontier     BLOB    NOT NULL CHECK (length(frontier) % 32 = 0),
    last_time    INTEGER NOT NULL,
    rights_epoch INTEGER NOT NULL CHECK (rights_epoch >= 0),
    policy       BLOB    NOT NULL CHECK (length(policy) = 32)
) STRICT;

-- For ever.
CREATE TABLE ledger_leaf (
    idx       INTEGER PRIMARY KEY,
    leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32)
) STRICT;

CREATE TABLE ledger_entry (
    idx             INTEGER PRIMARY KEY,
    id              BLOB    NOT NULL CHECK (length(id) = 16),
    time            INTEGER NOT NULL,
    type            TEXT    NOT NULL,
    operation       TEXT    NOT NULL,
    actor           TEXT,
    actor_place     TEXT,
    recipient       TEXT,
    recipient_place TEXT,
    decision        TEXT    NOT NULL,
    reason          TEXT,
    agreement       TEXT,
    body            BLOB    NOT NULL
) STRICT;
-- A time range becomes an index range first; after that only (column, idx) is ever needed.
CREATE UNIQUE INDEX ledger_entry_time ON ledger_entry (time);
CREATE INDEX ledger_entry_actor ON ledger_entry (actor, idx);
CREATE INDEX ledger_entry_recipient ON ledger_entry (recipient, idx) WHERE recipient IS NOT NULL;
CREATE INDEX ledger_entry_agreement ON ledger_entry (agreement, idx) WHERE agreement IS NOT NULL;
CREATE INDEX ledger_entry_reason ON ledger_entry (reason, idx) WHERE reason IS NOT NULL;

-- Full tiles only, never updated; the right edge is derived. root: the tile's own hash, an element of the level above.
CREATE TABLE ledger_tile (
    level  INTEGER NOT NULL CHECK (level >= 0),
    n      INTEGER NOT NULL CHECK (n >= 0),
    root   BLOB    NOT NULL CHECK (length(root) = 32),
    hashes BLOB    NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (level, n)
) STRICT;
-- Holds the root, so that a proof reads 32 bytes a tile and not its 256 hashes.
CREATE INDEX ledger_tile_root ON ledger_tile (level, n, root);

CREATE TABLE ledger_checkpoint (
    size         INTEGER PRIMARY KEY,
    root         BLOB NOT NULL CHECK (length(root) = 32),
    note         TEXT NOT NULL,
    cosignatures TEXT NOT NULL
) STRICT;

-- Erasable: search tags and openings.
CREATE TABLE ledger_index (
    tag BLOB    NOT NULL CHECK (length(tag) = 16),
    idx INTEGER NOT NULL,
    PRIMARY KEY (tag, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_opening (
    idx    INTEGER PRIMARY KEY,
    key    BLOB NOT NULL CHECK (length(key) = 16),
    sealed BLOB NOT NULL
) STRICT;

-- These stop accidents; the tree stops everybody else.
CREATE TRIGGER ledger_leaf_no_update BEFORE UPDATE ON ledger_leaf BEGIN SELECT RAISE(ABORT, 'ledger_leaf is append-only'); END;
CREATE TRIGGER ledger_leaf_no_delete BEFORE DELETE ON ledger_leaf BEGIN SELECT RAISE(ABORT, 'ledger_leaf is append-only'); END;
CREATE TRIGGER ledger_entry_no_update BEFORE UPDATE ON ledger_entry BEGIN SELECT RAISE(ABORT, 'ledger_entry is append-only'); END;
CREATE TRIGGER ledger_entry_no_delete BEFORE DELETE ON ledger_entry BEGIN SELECT RAISE(ABORT, 'ledger_entry is append-only'); END;
CREATE TRIGGER ledger_tile_no_update BEFORE UPDATE ON ledger_tile BEGIN SELECT RAISE(ABORT, 'ledger_tile is append-only'); END;
CREATE TRIGGER ledger_tile_no_delete BEFORE DELETE ON ledger_tile BEGIN SELECT RAISE(ABORT, 'ledger_tile is append-only'); END;
CREATE TRIGGER ledger_head_no_delete BEFORE DELETE ON ledger_head BEGIN SELECT RAISE(ABORT, 'ledger_head stays'); END;
CREATE TRIGGER ledger_head_forward BEFORE UPDATE ON ledger_head
WHEN NEW.size < OLD.size OR NEW.last_time < OLD.last_time OR NEW.rights_epoch < OLD.rights_epoch OR NEW.origin <> OLD.origin
BEGIN SELECT RAISE(ABORT, 'ledger_head only moves forward'); END;

-- Ids that may be used once --------------------------------------------------------------------------------------------------

CREATE TABLE used_once (
    kind    TEXT    NOT NULL,
    iss     TEXT    NOT NULL,
    jti     BLOB    NOT NULL CHECK (length(jti) = 16),
    digest  BLOB    NOT NULL CHECK (length(digest) = 32),
    idx     INTEGER,
    result  BLOB    NOT NULL,
    expires INTEGER,
    PRIMARY KEY (kind, iss, jti)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_once_expires ON used_once (expires) WHERE expires IS NOT NULL;

-- Keys of content. wrapped is gone after erasure -----------------------------------------------------------------------------

CREATE TABLE data_key (
    id      BLOB PRIMARY KEY CHECK (length(id) = 16),
    wrapped BLOB
) STRICT, WITHOUT ROWID;

-- A person as one collector knows it: the first consent is there once, and every later one takes the place of another.
CREATE TABLE person (
    subject BLOB PRIMARY KEY CHECK (length(subject) = 16),
    idx     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A person has one data key for each consent.
CREATE TABLE person_key (
    subject BLOB NOT NULL REFERENCES person (subject),
    key     BLOB NOT NULL REFERENCES data_key (id),
    PRIMARY KEY (subject, key)
) STRICT, WITHOUT ROWID;

-- Parties, keys, agreements --------------------------------------------------------------------------------------------------

CREATE TABLE party (
    id           TEXT PRIMARY KEY,
    registration TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    idx          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE party_key (
    kid            BLOB PRIMARY KEY CHECK (length(kid) = 32),
    party          TEXT    NOT NULL REFERENCES party (id),
    usage          TEXT    NOT NULL,
    jwk            TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    nbf            INTEGER NOT NULL,
    naf            INTEGER NOT NULL,
    compromised_at INTEGER,
    idx            INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX party_key_party ON party_key (party, idx);

CREATE TABLE agreement (
    id         TEXT    NOT NULL,
    ver        INTEGER NOT NULL CHECK (ver > 0),
    sha256     BLOB    NOT NULL CHECK (length(sha256) = 32),
    superseded INTEGER NOT NULL DEFAULT 0 CHECK (superseded IN (0, 1)),
    idx        INTEGER NOT NULL UNIQUE,
    document   BLOB    NOT NULL,
    PRIMARY KEY (id, ver)
) STRICT;

-- Who may see a version: named parties, parties that acceded (side = a party) and kinds that may accede (side = a kind).
CREATE TABLE agreement_party (
    side TEXT    NOT NULL,
    idx  INTEGER NOT NULL REFERENCES agreement (idx),
    PRIMARY KEY (side, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE agreement_act (
    seq       INTEGER PRIMARY KEY,
    agreement INTEGER NOT NULL REFERENCES agreement (idx),
    party     TEXT    NOT NULL,
    act       TEXT    NOT NULL,
    signature TEXT    NOT NULL,
    idx       INTEGER NOT NULL
) STRICT;
CREATE INDEX agreement_act_agreement ON agreement_act (agreement, idx);

-- Consents -------------------------------------------------------------------------------------------------------------------

-- superseded_by: which consent took its place. What was sent under the old one is read under the new one.
CREATE TABLE consent (
    jti           BLOB PRIMARY KEY CHECK (length(jti) = 16),
    collector     TEXT    NOT NULL,
    sha256        BLOB    NOT NULL CHECK (length(sha256) = 32),
    subject       BLOB    NOT NULL CHECK (length(subject) = 16),
    case_         BLOB,
    ended         INTEGER NOT NULL DEFAULT 0 CHECK (ended IN (0, 1)),
    idx           INTEGER NOT NULL,
    key           BLOB    NOT NULL REFERENCES data_key (id),
    sealed        BLOB    NOT NULL,
    superseded_by BLOB REFERENCES consent (jti)
) STRICT;

CREATE TABLE consent_end (
    seq     INTEGER PRIMARY KEY,
    consent BLOB    NOT NULL REFERENCES consent (jti),
    idx     INTEGER NOT NULL,
    key     BLOB    NOT NULL REFERENCES data_key (id),
    sealed  BLOB    NOT NULL
) STRICT;
CREATE INDEX consent_end_consent ON consent_end (consent, idx);

-- Cases ----------------------------------------------------------------------------------------------------------------------

CREATE TABLE case_ (
    id       BLOB PRIMARY KEY CHECK (length(id) = 16),
    kind     TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    consent  BLOB REFERENCES consent (jti),
    key      BLOB    NOT NULL REFERENCES data_key (id)
) STRICT, WITHOUT ROWID;

-- A party knows a case by an id of its own.
CREATE TABLE case_party (
    case_       BLOB    NOT NULL REFERENCES case_ (id),
    party       TEXT    NOT NULL,
    id          BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    relation    TEXT    NOT NULL,
    received    INTEGER NOT NULL,
    updated     INTEGER NOT NULL,
    updated_idx INTEGER NOT NULL,
    PRIMARY KEY (case_, party)
) STRICT, WITHOUT ROWID;
CREATE INDEX case_party_updated ON case_party (party, updated_idx);

CREATE TABLE message (
    seq      INTEGER PRIMARY KEY,
    iss      TEXT    NOT NULL,
    jti      BLOB    NOT NULL CHECK (length(jti) = 16),
    aud      TEXT    NOT NULL,
    case_    BLOB    NOT NULL REFERENCES case_ (id),
    kind     TEXT    NOT NULL,
    digest   BLOB    NOT NULL CHECK (length(digest) = 32),
    idx      INTEGER NOT NULL,
    received INTEGER NOT NULL,
    key      BLOB    NOT NULL REFERENCES data_key (id),
    sealed   BLOB    NOT NULL
) STRICT;
-- A message is found in its case by its id alone, so the id is unique there, whoever sent it.
CREATE UNIQUE INDEX message_case_jti ON message (case_, jti);
CREATE INDEX message_case ON message (case_, idx);

CREATE TABLE evidence (
    seq     INTEGER PRIMARY KEY,
    case_   BLOB    NOT NULL REFERENCES case_ (id),
    iss     TEXT    NOT NULL,
    jti     BLOB    NOT NULL CHECK (length(jti) = 16),
    digest  BLOB    NOT NULL CHECK (length(digest) = 32),
    state   TEXT    NOT NULL,
    receipt BLOB    NOT NULL CHECK (length(receipt) = 16),
    time    INTEGER NOT NULL,
    idx     INTEGER NOT NULL
) STRICT;
CREATE INDEX evidence_case ON evidence (case_, iss, idx);
