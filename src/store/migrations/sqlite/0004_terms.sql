-- What the gateway has to know of a message without opening it: the consent that it names, the day by which its reply is wished, the message that it
-- corrects or passes on, and in whose place a delegate sent or gets it. None of it says anything about a person. Erased with the message.
-- Messages of earlier versions have no row.
CREATE TABLE message_term (
    case_    BLOB    NOT NULL REFERENCES case_ (id),
    jti      BLOB    NOT NULL CHECK (length(jti) = 16),
    idx      INTEGER NOT NULL,
    consent  BLOB REFERENCES consent (jti),
    reply_by TEXT,
    corrects BLOB CHECK (length(corrects) = 16),
    source   BLOB CHECK (length(source) = 16),
    sent_for TEXT,
    sent_to  TEXT,
    PRIMARY KEY (case_, jti)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_term_consent ON message_term (consent) WHERE consent IS NOT NULL;
-- What ends a retention period is looked for here.
CREATE INDEX case_over ON case_ (id) WHERE state IN ('closed', 'declined');
