-- What the gateway has to know of a message without opening it: the consent that it names, the day by which its reply is wished, the message that it
-- corrects or passes on, and in whose place a delegate sent or gets it. None of it says anything about a person. Erased with the message.
-- Messages of earlier versions have no row.
CREATE TABLE message_term (
    case_    BYTEA  NOT NULL REFERENCES case_ (id),
    jti      BYTEA  NOT NULL CHECK (length(jti) = 16),
    idx      BIGINT NOT NULL,
    consent  BYTEA REFERENCES consent (jti),
    reply_by TEXT COLLATE "C",
    corrects BYTEA CHECK (length(corrects) = 16),
    source   BYTEA CHECK (length(source) = 16),
    sent_for TEXT COLLATE "C",
    sent_to  TEXT COLLATE "C",
    PRIMARY KEY (case_, jti)
);
CREATE INDEX message_term_consent ON message_term (consent) WHERE consent IS NOT NULL;
-- What ends a retention period is looked for here.
CREATE INDEX case_over ON case_ (id) WHERE state IN ('closed', 'declined');
