-- Which consent took a consent's place: what was sent under the old one is read under the new one.
ALTER TABLE consent ADD COLUMN superseded_by BLOB REFERENCES consent (jti);

-- A person has one data key for each consent.
CREATE TABLE person_keys (
    subject BLOB NOT NULL CHECK (length(subject) = 16),
    key     BLOB NOT NULL REFERENCES data_key (id),
    PRIMARY KEY (subject, key)
) STRICT, WITHOUT ROWID;
INSERT INTO person_keys (subject, key) SELECT subject, key FROM person_key;
DROP TABLE person_key;
ALTER TABLE person_keys RENAME TO person_key;
