-- The same tables and columns as in the SQLite schema. Times are microseconds since the Unix epoch, digests and ids of our own are BYTEA, codes and
-- party ids are TEXT in byte order (COLLATE "C"), the order in which SQLite compares.
-- idx in a business table names the entry it came with. No foreign key: leaves are written last, in one statement, and a deferred key would search every
-- business table for each new leaf.

-- The ledger -----------------------------------------------------------------------------------------------------------------

CREATE TABLE ledger_head (
    one          BIGINT           PRIMARY KEY CHECK (one = 1),
    origin       TEXT COLLATE "C" NOT NULL,
    size         BIGINT           NOT NULL CHECK (size >= 0),
    root         BYTEA            NOT NULL CHECK (length(root) = 32),
    frontier     BYTEA            NOT NULL CHECK (length(frontier) % 32 = 0),
    last_time    BIGINT           NOT NULL,
    rights_epoch BIGINT           NOT NULL CHECK (rights_epoch >= 0),
    policy       BYTEA            NOT NULL CHECK (length(policy) = 32)
);

-- For ever.
CREATE TABLE ledger_leaf (
    idx       BIGINT PRIMARY KEY,
    leaf_hash BYTEA  NOT NULL CHECK (length(leaf_hash) = 32)
);

CREATE TABLE ledger_entry (
    idx             BIGINT           PRIMARY KEY,
    id              BYTEA            NOT NULL CHECK (length(id) = 16),
    time            BIGINT           NOT NULL,
    type            TEXT COLLATE "C" NOT NULL,
    operation       TEXT COLLATE "C" NOT NULL,
    actor           TEXT COLLATE "C",
    actor_place     TEXT COLLATE "C",
    recipient       TEXT COLLATE "C",
    recipient_place TEXT COLLATE "C",
    decision        TEXT COLLATE "C" NOT NULL,
    reason          TEXT COLLATE "C",
    agreement       TEXT COLLATE "C",
    body            BYTEA            NOT NULL
);
-- A time range becomes an index range first; after that only (column, idx) is ever needed.
CREATE UNIQUE INDEX ledger_entry_time ON ledger_entry (time);
CREATE INDEX ledger_entry_actor ON ledger_entry (actor, idx);
CREATE INDEX ledger_entry_recipient ON ledger_entry (recipient, idx) WHERE recipient IS NOT NULL;
CREATE INDEX ledger_entry_agreement ON ledger_entry (agreement, idx) WHERE agreement IS NOT NULL;
CREATE INDEX ledger_entry_reason ON ledger_entry (reason, idx) WHERE reason IS NOT NULL;

-- Full tiles only, never updated; the right edge is derived. root: the tile's own hash, an element of the level above.
CREATE TABLE ledger_tile (
    level  BIGINT NOT NULL CHECK (level >= 0),
    n      BIGINT NOT NULL CHECK (n >= 0),
    root   BYTEA  NOT NULL CHECK (length(root) = 32),
    hashes BYTEA  NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (level, n)
);
-- Holds the root, so that a proof reads 32 bytes a tile and not its 256 hashes.
CREATE INDEX ledger_tile_root ON ledger_tile (level, n, root);

CREATE TABLE ledger_checkpoint (
    size         BIGINT           PRIMARY KEY,
    root         BYTEA            NOT NULL CHECK (length(root) = 32),
    note         TEXT COLLATE "C" NOT NULL,
    cosignatures TEXT COLLATE "C" NOT NULL
);

-- Erasable: search tags and openings.
CREATE TABLE ledger_index (
    tag BYTEA  NOT NULL CHECK (length(tag) = 16),
    idx BIGINT NOT NULL,
    PRIMARY KEY (tag, idx)
);

CREATE TABLE ledger_opening (
    idx    BIGINT PRIMARY KEY,
    key    BYTEA  NOT NULL CHECK (length(key) = 16),
    sealed BYTEA  NOT NULL
);

-- These stop accidents; the tree stops everybody else. ALWAYS: they fire in every session_replication_role.
CREATE FUNCTION tsunagi_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE FUNCTION tsunagi_head_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.size < OLD.size OR NEW.last_time < OLD.last_time OR NEW.rights_epoch < OLD.rights_epoch OR NEW.origin <> OLD.origin THEN
        RAISE EXCEPTION 'ledger_head only moves forward';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_leaf_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_leaf
    FOR EACH STATEMENT EXECUTE FUNCTION tsunagi_append_only();
CREATE TRIGGER ledger_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION tsunagi_append_only();
CREATE TRIGGER ledger_tile_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_tile
    FOR EACH STATEMENT EXECUTE FUNCTION tsunagi_append_only();
CREATE TRIGGER ledger_head_stays BEFORE DELETE OR TRUNCATE ON ledger_head
    FOR EACH STATEMENT EXECUTE FUNCTION tsunagi_append_only();
CREATE TRIGGER ledger_head_forward BEFORE UPDATE ON ledger_head
    FOR EACH ROW EXECUTE FUNCTION tsunagi_head_forward();
ALTER TABLE ledger_leaf ENABLE ALWAYS TRIGGER ledger_leaf_append_only;
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER ledger_entry_append_only;
ALTER TABLE ledger_tile ENABLE ALWAYS TRIGGER ledger_tile_append_only;
ALTER TABLE ledger_head ENABLE ALWAYS TRIGGER ledger_head_stays;
ALTER TABLE ledger_head ENABLE ALWAYS TRIGGER ledger_head_forward;

-- Ids that may be used once --------------------------------------------------------------------------------------------------

CREATE TABLE used_once (
    kind    TEXT COLLATE "C" NOT NULL,
    iss     TEXT COLLATE "C" NOT NULL,
    jti     BYTEA            NOT NULL CHECK (length(jti) = 16),
    digest  BYTEA            NOT NULL CHECK (length(digest) = 32),
    idx     BIGINT,
    result  BYTEA            NOT NULL,
    expires BIGINT,
    PRIMARY KEY (kind, iss, jti)
);
CREATE INDEX used_once_expires ON used_once (expires) WHERE expires IS NOT NULL;

-- Keys of content. wrapped is gone after erasure -----------------------------------------------------------------------------

CREATE TABLE data_key (
    id      BYTEA PRIMARY KEY CHECK (length(id) = 16),
    wrapped BYTEA
);

-- A person as one collector knows it: the first consent is there once, and every later one takes the place of another.
CREATE TABLE person (
    subject BYTEA  PRIMARY KEY CHECK (length(subject) = 16),
    idx     BIGINT NOT NULL
);

-- A person has one data key for each consent.
CREATE TABLE person_key (
    subject BYTEA NOT NULL REFERENCES person (subject),
    key     BYTEA NOT NULL REFERENCES data_key (id),
    PRIMARY KEY (subject, key)
);

-- Parties, keys, agreements --------------------------------------------------------------------------------------------------

CREATE TABLE party (
    id           TEXT COLLATE "C" PRIMARY KEY,
    registration TEXT COLLATE "C" NOT NULL,
    state        TEXT COLLATE "C" NOT NULL,
    idx          BIGINT           NOT NULL
);

CREATE TABLE party_key (
    kid            BYTEA            PRIMARY KEY CHECK (length(kid) = 32),
    party          TEXT COLLATE "C" NOT NULL REFERENCES party (id),
    usage          TEXT COLLATE "C" NOT NULL,
    jwk            TEXT COLLATE "C" NOT NULL,
    state          TEXT COLLATE "C" NOT NULL,
    nbf            BIGINT           NOT NULL,
    naf            BIGINT           NOT NULL,
    compromised_at BIGINT,
    idx            BIGINT           NOT NULL
);
CREATE INDEX party_key_party ON party_key (party, idx);

CREATE TABLE agreement (
    id         TEXT COLLATE "C" NOT NULL,
    ver        BIGINT           NOT NULL CHECK (ver > 0),
    sha256     BYTEA            NOT NULL CHECK (length(sha256) = 32),
    superseded BIGINT           NOT NULL DEFAULT 0 CHECK (superseded IN (0, 1)),
    idx        BIGINT           NOT NULL UNIQUE,
    document   BYTEA            NOT NULL,
    PRIMARY KEY (id, ver)
);

-- Who may see a version: named parties, parties that acceded (side = a party) and kinds that may accede (side = a kind).
CREATE TABLE agreement_party (
    side TEXT COLLATE "C" NOT NULL,
    idx  BIGINT           NOT NULL REFERENCES agreement (idx),
    PRIMARY KEY (side, idx)
);

CREATE TABLE agreement_act (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agreement BIGINT                              NOT NULL REFERENCES agreement (idx),
    party     TEXT COLLATE "C"                    NOT NULL,
    act       TEXT COLLATE "C"                    NOT NULL,
    signature TEXT COLLATE "C"                    NOT NULL,
    idx       BIGINT                              NOT NULL
);
CREATE INDEX agreement_act_agreement ON agreement_act (agreement, idx);

-- Consents -------------------------------------------------------------------------------------------------------------------

-- superseded_by: which consent took its place. What was sent under the old one is read under the new one.
CREATE TABLE consent (
    jti           BYTEA            PRIMARY KEY CHECK (length(jti) = 16),
    collector     TEXT COLLATE "C" NOT NULL,
    sha256        BYTEA            NOT NULL CHECK (length(sha256) = 32),
    subject       BYTEA            NOT NULL CHECK (length(subject) = 16),
    case_         BYTEA,
    ended         BIGINT           NOT NULL DEFAULT 0 CHECK (ended IN (0, 1)),
    idx           BIGINT           NOT NULL,
    key           BYTEA            NOT NULL REFERENCES data_key (id),
    sealed        BYTEA            NOT NULL,
    superseded_by BYTEA            REFERENCES consent (jti)
);

CREATE TABLE consent_end (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consent BYTEA                               NOT NULL REFERENCES consent (jti),
    idx     BIGINT                              NOT NULL,
    key     BYTEA                               NOT NULL REFERENCES data_key (id),
    sealed  BYTEA                               NOT NULL
);
CREATE INDEX consent_end_consent ON consent_end (consent, idx);

-- Cases ----------------------------------------------------------------------------------------------------------------------

CREATE TABLE case_ (
    id       BYTEA            PRIMARY KEY CHECK (length(id) = 16),
    kind     TEXT COLLATE "C" NOT NULL,
    state    TEXT COLLATE "C" NOT NULL,
    revision BIGINT           NOT NULL,
    consent  BYTEA            REFERENCES consent (jti),
    key      BYTEA            NOT NULL REFERENCES data_key (id)
);

-- A party knows a case by an id of its own.
CREATE TABLE case_party (
    case_       BYTEA            NOT NULL REFERENCES case_ (id),
    party       TEXT COLLATE "C" NOT NULL,
    id          BYTEA            NOT NULL UNIQUE CHECK (length(id) = 16),
    relation    TEXT COLLATE "C" NOT NULL,
    received    BIGINT           NOT NULL,
    updated     BIGINT           NOT NULL,
    updated_idx BIGINT           NOT NULL,
    PRIMARY KEY (case_, party)
);
CREATE INDEX case_party_updated ON case_party (party, updated_idx);

CREATE TABLE message (
    seq      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    iss      TEXT COLLATE "C"                    NOT NULL,
    jti      BYTEA                               NOT NULL CHECK (length(jti) = 16),
    aud      TEXT COLLATE "C"                    NOT NULL,
    case_    BYTEA                               NOT NULL REFERENCES case_ (id),
    kind     TEXT COLLATE "C"                    NOT NULL,
    digest   BYTEA                               NOT NULL CHECK (length(digest) = 32),
    idx      BIGINT                              NOT NULL,
    received BIGINT                              NOT NULL,
    key      BYTEA                               NOT NULL REFERENCES data_key (id),
    sealed   BYTEA                               NOT NULL
);
-- A message is found in its case by its id alone, so the id is unique there, whoever sent it.
CREATE UNIQUE INDEX message_case_jti ON message (case_, jti);
CREATE INDEX message_case ON message (case_, idx);

CREATE TABLE evidence (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_   BYTEA                               NOT NULL REFERENCES case_ (id),
    iss     TEXT COLLATE "C"                    NOT NULL,
    jti     BYTEA                               NOT NULL CHECK (length(jti) = 16),
    digest  BYTEA                               NOT NULL CHECK (length(digest) = 32),
    state   TEXT COLLATE "C"                    NOT NULL,
    receipt BYTEA                               NOT NULL CHECK (length(receipt) = 16),
    time    BIGINT                              NOT NULL,
    idx     BIGINT                              NOT NULL
);
CREATE INDEX evidence_case ON evidence (case_, iss, idx);

-- Ciphertext and hashes do not compress.
ALTER TABLE ledger_tile ALTER COLUMN hashes SET STORAGE EXTERNAL;
ALTER TABLE ledger_opening ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE consent ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE consent_end ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE message ALTER COLUMN sealed SET STORAGE EXTERNAL;
-- One row, rewritten with every batch: room on its page keeps the update out of the index.
ALTER TABLE ledger_head SET (fillfactor = 10);

-- The rows of one draft in one round trip: statements that must change exactly one row each, with the values that they name as $1[n] (numbers),
-- $2[n] (texts) and $3[n] (bytes). All of them, or false and none. It may do what its caller may do, and nothing more.
CREATE FUNCTION tsunagi_write(statements TEXT[], numbers BIGINT[], texts TEXT[], bytes BYTEA[]) RETURNS BOOLEAN LANGUAGE plpgsql SECURITY INVOKER AS $$
DECLARE
    statement TEXT;
    changed BIGINT;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement USING numbers, texts, bytes;
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> 1 THEN
            RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END LOOP;
    RETURN TRUE;
EXCEPTION
    -- Every violation of its class. The block is a savepoint: what it did before is undone.
    WHEN integrity_constraint_violation THEN
        RETURN FALSE;
END $$;
