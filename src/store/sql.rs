//! The statements. Written so that SQLite and PostgreSQL both take them; what only one understands stands in that database's file.

pub(super) const HEAD: &str = "SELECT origin, size, root, frontier, last_time, rights_epoch, policy FROM ledger_head WHERE one = 1";
pub(super) const INSERT_HEAD: &str = "INSERT INTO ledger_head (one, origin, size, root, frontier, last_time, rights_epoch, policy) \
     VALUES (1, $1, 0, $2, $3, 0, 0, $4)";

pub(super) const ENTRY: &str =
    "SELECT e.idx, e.body, o.key, o.sealed FROM ledger_entry e LEFT JOIN ledger_opening o ON o.idx = e.idx WHERE e.idx = $1";
pub(super) const ENTRIES: &str = "SELECT e.idx, e.body, o.key, o.sealed FROM ledger_entry e LEFT JOIN ledger_opening o ON o.idx = e.idx \
     WHERE e.idx >= $1 AND e.idx < $2 ORDER BY e.idx LIMIT $3";
pub(super) const REGISTRATIONS: &str = "SELECT e.idx, e.body, o.key, o.sealed FROM ledger_entry e LEFT JOIN ledger_opening o ON o.idx = e.idx \
     WHERE e.type IN ('party', 'key') AND e.idx >= $1 AND e.idx < $2 ORDER BY e.idx LIMIT $3";
pub(super) const FIRST_AT_OR_AFTER: &str = "SELECT idx FROM ledger_entry WHERE time >= $1 ORDER BY time LIMIT 1";
pub(super) const LEAF_HASHES: &str = "SELECT leaf_hash FROM ledger_leaf WHERE idx >= $1 AND idx < $2 ORDER BY idx";
pub(super) const TILE: &str = "SELECT hashes FROM ledger_tile WHERE level = $1 AND n = $2";
pub(super) const TILE_ROOTS: &str = "SELECT root FROM ledger_tile WHERE level = $1 AND n >= $2 AND n < $3 ORDER BY n";
pub(super) const HEAD_ROWS: &str = "SELECT count(*) FROM ledger_head";
pub(super) const MOST_ROWS: &str =
    "SELECT max(rows_) FROM (SELECT count(*) AS rows_ FROM ledger_leaf UNION ALL SELECT count(*) AS rows_ FROM ledger_entry) counted";
pub(super) const INSPECT_LEAVES: &str = "SELECT idx, leaf_hash FROM ledger_leaf WHERE idx >= $1 AND idx < $2 ORDER BY idx";
pub(super) const INSPECT_ENTRIES: &str = "SELECT idx, id, time, type, operation, actor, actor_place, recipient, recipient_place, decision, reason, \
     agreement, body FROM ledger_entry WHERE idx >= $1 AND idx < $2 ORDER BY idx";
pub(super) const INSPECT_OPENINGS: &str = "SELECT idx, key, sealed FROM ledger_opening WHERE idx >= $1 AND idx < $2 ORDER BY idx";
pub(super) const INSPECT_TILE: &str = "SELECT root, hashes FROM ledger_tile WHERE level = $1 AND n = $2";
pub(super) const TILE_BEYOND: &str = "SELECT min(n) FROM (SELECT min(n) AS n FROM ledger_tile WHERE level = $1 AND n < 0 UNION ALL \
     SELECT min(n) AS n FROM ledger_tile WHERE level = $1 AND n >= $2) beyond";
pub(super) const TILE_LEVEL_BEYOND: &str = "SELECT min(level) FROM (SELECT min(level) AS level FROM ledger_tile WHERE level < 0 UNION ALL \
     SELECT min(level) AS level FROM ledger_tile WHERE level >= $1) beyond";
pub(super) const INSPECT_CHECKPOINTS: &str =
    "SELECT size, root, note, cosignatures FROM ledger_checkpoint WHERE size > $1 ORDER BY size LIMIT $2";
pub(super) const INSPECT_INDEX: &str = "SELECT tag, idx FROM ledger_index WHERE (tag, idx) > ($1, $2) ORDER BY tag, idx LIMIT $3";
/// In two halves, so that each is one step in the primary key.
pub(super) const LEAF_BEYOND: &str = "SELECT min(idx) FROM (SELECT min(idx) AS idx FROM ledger_leaf WHERE idx < 0 UNION ALL \
     SELECT min(idx) AS idx FROM ledger_leaf WHERE idx >= (SELECT size FROM ledger_head WHERE one = 1)) beyond";
pub(super) const ENTRY_BEYOND: &str = "SELECT min(idx) FROM (SELECT min(idx) AS idx FROM ledger_entry WHERE idx < 0 UNION ALL \
     SELECT min(idx) AS idx FROM ledger_entry WHERE idx >= (SELECT size FROM ledger_head WHERE one = 1)) beyond";
pub(super) const OPENING_BEYOND: &str = "SELECT min(idx) FROM (SELECT min(idx) AS idx FROM ledger_opening WHERE idx < 0 UNION ALL \
     SELECT min(idx) AS idx FROM ledger_opening WHERE idx >= (SELECT size FROM ledger_head WHERE one = 1)) beyond";
pub(super) const INDEX_BEYOND: &str = "SELECT min(idx) FROM (SELECT min(idx) AS idx FROM ledger_index WHERE idx < 0 UNION ALL \
     SELECT min(idx) AS idx FROM ledger_index WHERE idx >= (SELECT size FROM ledger_head WHERE one = 1)) beyond";

pub(super) const ONCE: &str = "SELECT digest, idx, result FROM used_once WHERE kind = $1 AND iss = $2 AND jti = $3";
pub(super) const FORGET_EXPIRED: &str = "DELETE FROM used_once WHERE (kind, iss, jti) IN \
     (SELECT kind, iss, jti FROM used_once WHERE expires < $1 ORDER BY expires LIMIT $2)";
pub(super) const DATA_KEY: &str = "SELECT wrapped FROM data_key WHERE id = $1";
pub(super) const INSERT_DATA_KEY: &str = "INSERT INTO data_key (id, wrapped) VALUES ($1, $2)";
pub(super) const PERSON_KEYS: &str = "SELECT key FROM person_key WHERE subject = $1 ORDER BY key";
pub(super) const INSERT_PERSON: &str = "INSERT INTO person (subject, idx) VALUES ($1, $2)";
pub(super) const INSERT_PERSON_KEY: &str = "INSERT INTO person_key (subject, key) VALUES ($1, $2)";

pub(super) const PARTY: &str = "SELECT registration, state, idx FROM party WHERE id = $1";
pub(super) const PARTIES: &str = "SELECT registration, state, idx FROM party WHERE id > $1 ORDER BY id LIMIT $2";
pub(super) const PUT_PARTY: &str = "INSERT INTO party (id, registration, state, idx) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (id) DO UPDATE SET registration = excluded.registration, idx = excluded.idx";
pub(super) const SET_PARTY_STATE: &str = "UPDATE party SET state = $2, idx = $3 WHERE id = $1";

pub(super) const KEY: &str = "SELECT k.kid, k.party, k.usage, k.jwk, k.state, k.nbf, k.naf, k.compromised_at, k.idx, l.leaf_hash \
     FROM party_key k JOIN ledger_leaf l ON l.idx = k.idx WHERE k.kid = $1";
pub(super) const KEYS: &str = "SELECT k.kid, k.party, k.usage, k.jwk, k.state, k.nbf, k.naf, k.compromised_at, k.idx, l.leaf_hash \
     FROM party_key k JOIN ledger_leaf l ON l.idx = k.idx WHERE k.party = $1 ORDER BY k.idx, k.kid";
pub(super) const INSERT_KEY: &str = "INSERT INTO party_key (kid, party, usage, jwk, state, nbf, naf, compromised_at, idx) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
pub(super) const SET_KEY_STATE: &str = "UPDATE party_key SET state = $2, compromised_at = $3 WHERE kid = $1";

pub(super) const SET_KEY_ENTRY: &str = "UPDATE party_key SET idx = $2 WHERE kid = $1";
pub(super) const INSPECT_PARTIES: &str = "SELECT id, registration, state, idx FROM party WHERE id > $1 ORDER BY id LIMIT $2";
pub(super) const INSPECT_KEYS: &str = "SELECT k.kid, k.party, k.usage, k.jwk, k.state, k.nbf, k.naf, k.compromised_at, k.idx, \
     COALESCE(l.leaf_hash, k.kid) FROM party_key k LEFT JOIN ledger_leaf l ON l.idx = k.idx WHERE k.kid > $1 ORDER BY k.kid LIMIT $2";

pub(super) const AGREEMENT: &str = "SELECT id, ver, sha256, document, superseded, idx FROM agreement WHERE id = $1 AND ver = $2";
pub(super) const AGREEMENT_VERSIONS: &str = "SELECT id, ver, sha256, document, superseded, idx FROM agreement WHERE id = $1 ORDER BY ver";
pub(super) const AGREEMENTS: &str = "SELECT id, ver, sha256, document, superseded, idx FROM agreement WHERE idx > $1 ORDER BY idx LIMIT $2";
pub(super) const AGREEMENTS_OF: &str = "SELECT a.id, a.ver, a.sha256, a.document, a.superseded, a.idx FROM agreement a \
     WHERE a.idx IN (SELECT p.idx FROM agreement_party p WHERE p.side IN ($1, $2) AND p.idx > $3) ORDER BY a.idx LIMIT $4";
pub(super) const INSERT_AGREEMENT: &str = "INSERT INTO agreement (id, ver, sha256, document, idx) VALUES ($1, $2, $3, $4, $5)";
pub(super) const INSERT_AGREEMENT_PARTY: &str = "INSERT INTO agreement_party (side, idx) VALUES ($1, $2)";
pub(super) const AGREEMENT_ACTS: &str = "SELECT party, act, signature, idx FROM agreement_act WHERE agreement = $1 ORDER BY idx, seq";
pub(super) const INSERT_AGREEMENT_ACT: &str = "INSERT INTO agreement_act (agreement, party, act, signature, idx) \
     SELECT idx, $3, $4, $5, $6 FROM agreement WHERE id = $1 AND ver = $2";
pub(super) const SUPERSEDE_AGREEMENT: &str = "UPDATE agreement SET superseded = 1 WHERE id = $1 AND ver = $2";

/// One row for each end, at least one.
pub(super) const CONSENT: &str = "SELECT c.collector, c.sha256, c.subject, c.key, c.sealed, c.case_, c.ended, c.idx, c.superseded_by, e.key, e.sealed \
     FROM consent c LEFT JOIN consent_end e ON e.consent = c.jti WHERE c.jti = $1 ORDER BY e.idx, e.seq";
pub(super) const CONSENT_CASE: &str = "SELECT case_ FROM consent WHERE jti = $1";
pub(super) const INSERT_CONSENT: &str =
    "INSERT INTO consent (jti, collector, sha256, subject, idx, key, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7)";
pub(super) const INSERT_CONSENT_END: &str = "INSERT INTO consent_end (consent, idx, key, sealed) VALUES ($1, $2, $3, $4)";
pub(super) const END_CONSENT: &str = "UPDATE consent SET ended = 1 WHERE jti = $1";
pub(super) const SUPERSEDE_CONSENT: &str = "UPDATE consent SET ended = 1, superseded_by = $2 WHERE jti = $1 AND superseded_by IS NULL";
pub(super) const BIND_CONSENT: &str = "UPDATE consent SET case_ = $2 WHERE jti = $1 AND (case_ IS NULL OR case_ = $2)";

pub(super) const CASE: &str = "SELECT p.case_, p.id, p.party, p.relation, c.state, c.revision, \
     COALESCE((SELECT m.kind FROM message m WHERE m.case_ = p.case_ AND (m.aud = p.party OR m.iss = p.party) ORDER BY m.idx LIMIT 1), c.kind), \
     p.received, p.updated, p.updated_idx, CAST(CASE WHEN k.wrapped IS NULL THEN 1 ELSE 0 END AS BIGINT) \
     FROM case_party p JOIN case_ c ON c.id = p.case_ JOIN data_key k ON k.id = c.key WHERE p.id = $1 AND p.party = $2";
pub(super) const CASE_PARTIES: &str = "SELECT p.case_, p.id, p.party, p.relation, c.state, c.revision, \
     COALESCE((SELECT m.kind FROM message m WHERE m.case_ = p.case_ AND (m.aud = p.party OR m.iss = p.party) ORDER BY m.idx LIMIT 1), c.kind), \
     p.received, p.updated, p.updated_idx, CAST(CASE WHEN k.wrapped IS NULL THEN 1 ELSE 0 END AS BIGINT) \
     FROM case_party p JOIN case_ c ON c.id = p.case_ JOIN data_key k ON k.id = c.key WHERE p.case_ = $1 ORDER BY p.party";
pub(super) const CASES: &str = "SELECT p.case_, p.id, p.party, p.relation, c.state, c.revision, \
     COALESCE((SELECT m.kind FROM message m WHERE m.case_ = p.case_ AND (m.aud = p.party OR m.iss = p.party) ORDER BY m.idx LIMIT 1), c.kind), \
     p.received, p.updated, p.updated_idx, CAST(CASE WHEN k.wrapped IS NULL THEN 1 ELSE 0 END AS BIGINT) \
     FROM case_party p JOIN case_ c ON c.id = p.case_ JOIN data_key k ON k.id = c.key \
     WHERE p.party = $1 AND p.updated_idx > $2 AND p.relation <> 'none' AND k.wrapped IS NOT NULL AND ($3 IS NULL OR c.state = $3) ORDER BY p.updated_idx LIMIT $4";
pub(super) const FOREIGN_CASES: &str = "SELECT p.case_, p.id, p.party, p.relation, c.state, c.revision, \
     COALESCE((SELECT m.kind FROM message m WHERE m.case_ = p.case_ AND (m.aud = p.party OR m.iss = p.party) ORDER BY m.idx LIMIT 1), c.kind), \
     p.received, p.updated, p.updated_idx, CAST(CASE WHEN k.wrapped IS NULL THEN 1 ELSE 0 END AS BIGINT) \
     FROM case_party p JOIN case_ c ON c.id = p.case_ JOIN data_key k ON k.id = c.key \
     WHERE p.party = $1 AND p.updated_idx > $2 AND p.relation = 'none' AND k.wrapped IS NOT NULL AND ($3 IS NULL OR c.state = $3) ORDER BY p.updated_idx LIMIT $4";
pub(super) const TAKEN_PART: &str = "SELECT case_ FROM case_party \
     WHERE party = $1 AND relation <> 'none' AND received < $2 AND case_ > $3 ORDER BY case_ LIMIT $4";
pub(super) const CASE_OF_ANY: &str = "SELECT case_ FROM case_party WHERE id = $1";
pub(super) const CASE_KEY: &str = "SELECT key FROM case_ WHERE id = $1";
pub(super) const CASE_REVISION: &str = "SELECT revision FROM case_ WHERE id = $1";
pub(super) const INSERT_CASE: &str = "INSERT INTO case_ (id, kind, state, revision, consent, key) VALUES ($1, $2, $3, 1, $4, $5)";
pub(super) const SET_CASE_STATE: &str = "UPDATE case_ SET state = $2, revision = revision + 1 WHERE id = $1";
pub(super) const MOVE_CASE_REVISION: &str = "UPDATE case_ SET revision = revision + 1 WHERE id = $1";
pub(super) const PUT_CASE_PARTY: &str = "INSERT INTO case_party (case_, party, id, relation, received, updated, updated_idx) \
     VALUES ($1, $2, $3, $4, $5, $5, $6) ON CONFLICT (case_, party) \
     DO UPDATE SET relation = excluded.relation, updated = excluded.updated, updated_idx = excluded.updated_idx";
pub(super) const TOUCH_CASE: &str = "UPDATE case_party SET updated = $3, updated_idx = $4 WHERE case_ = $1 AND party = $2";

pub(super) const CASE_CONTENT: &str = "SELECT key, consent FROM case_ WHERE id = $1";
pub(super) const CASE_MESSAGES: &str = "SELECT jti FROM message WHERE case_ = $1 ORDER BY idx, jti";
// Erasure. Each changes exactly one row, and no row twice.
pub(super) const ERASE_KEY: &str = "UPDATE data_key SET wrapped = NULL WHERE id = $1 AND wrapped IS NOT NULL";
pub(super) const ERASE_MESSAGE: &str = "UPDATE message SET sealed = $3 WHERE case_ = $1 AND jti = $2";
pub(super) const ERASE_CONSENT: &str = "UPDATE consent SET sealed = $2, subject = $3, ended = 1 WHERE jti = $1";
pub(super) const ERASE_CONSENT_END: &str = "UPDATE consent_end SET sealed = $2 WHERE seq = \
     (SELECT MIN(seq) FROM consent_end WHERE consent = $1 AND length(sealed) > 0)";
pub(super) const ERASE_PERSON_KEY: &str = "DELETE FROM person_key WHERE subject = $1 AND key = $2";
pub(super) const ERASE_PERSON: &str = "DELETE FROM person WHERE subject = $1";
pub(super) const ERASE_OPENING: &str = "DELETE FROM ledger_opening WHERE idx = $1";
pub(super) const ERASE_TAG: &str = "DELETE FROM ledger_index WHERE tag = $1 AND idx = $2";

pub(super) const FIRST_MESSAGE: &str = "SELECT iss, jti, aud, case_, kind, digest, idx, received, key, sealed FROM message \
     WHERE case_ = $1 AND aud = $2 ORDER BY idx LIMIT 1";
pub(super) const ADDRESSED: &str = "SELECT p.relation, c.state, k.wrapped, m.iss, m.jti, m.aud, m.case_, m.kind, m.digest, m.idx, m.received, m.key, m.sealed \
     FROM case_party p JOIN case_ c ON c.id = p.case_ JOIN message m ON m.case_ = p.case_ AND m.aud = p.party LEFT JOIN data_key k ON k.id = m.key \
     WHERE p.id = $1 AND p.party = $2 ORDER BY m.idx LIMIT 1";
pub(super) const MESSAGE: &str =
    "SELECT iss, jti, aud, case_, kind, digest, idx, received, key, sealed FROM message WHERE case_ = $1 AND jti = $2";
/// What others sent or got in the party's place is its own too.
pub(super) const MESSAGES: &str = "SELECT m.iss, m.jti, m.aud, m.case_, m.kind, m.digest, m.idx, m.received FROM message m \
     LEFT JOIN message_term t ON t.case_ = m.case_ AND t.jti = m.jti \
     WHERE m.case_ = $1 AND (m.iss = $2 OR m.aud = $2 OR t.sent_for = $2 OR t.sent_to = $2) AND m.idx > $3 ORDER BY m.idx LIMIT $4";
pub(super) const TERM: &str =
    "SELECT consent, reply_by, corrects, source, sent_for, sent_to FROM message_term WHERE case_ = $1 AND jti = $2";
pub(super) const CASE_TERMS: &str = "SELECT jti FROM message_term WHERE case_ = $1 ORDER BY jti";
pub(super) const ERASE_TERM: &str = "DELETE FROM message_term WHERE case_ = $1 AND jti = $2";
/// Changes nothing, and one row only while no case uses the consent.
pub(super) const CONSENT_UNBOUND: &str = "UPDATE consent SET case_ = NULL WHERE jti = $1 AND case_ IS NULL";
pub(super) const CASE_HEADS: &str = "SELECT iss, jti, aud, case_, kind, digest, idx, received FROM message WHERE case_ = $1 ORDER BY idx";
pub(super) const INSERT_MESSAGE: &str = "INSERT INTO message (iss, jti, aud, case_, kind, digest, idx, received, key, sealed) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
pub(super) const EVIDENCE: &str = "SELECT v.jti, v.digest, v.state, v.receipt, v.idx, l.leaf_hash, v.time FROM evidence v \
     JOIN ledger_leaf l ON l.idx = v.idx WHERE v.case_ = $1 AND v.iss = $2 ORDER BY v.idx, v.seq";
pub(super) const INSERT_EVIDENCE: &str = "INSERT INTO evidence (case_, iss, jti, digest, state, receipt, time, idx) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// Only while nobody has collected the message, and once.
pub(super) const INSERT_UNCOLLECTED: &str = "INSERT INTO evidence (case_, iss, jti, digest, state, receipt, time, idx) \
     SELECT $1, $2, $3, $4, $5, $6, CAST($7 AS BIGINT), CAST($8 AS BIGINT) WHERE NOT EXISTS \
     (SELECT 1 FROM evidence v WHERE v.case_ = $1 AND v.iss = $2 AND v.jti = $3 AND v.state IN ('released', 'uncollected'))";
pub(super) const INSERT_TERM: &str = "INSERT INTO message_term (case_, jti, idx, consent, reply_by, corrects, source, sent_for, sent_to) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
/// What became of the messages of some cases, grouped once, so that a case costs no more than it has evidence. Goes on with a list of cases and [`PASSAGES`].
pub(super) const FATES: &str = "WITH fate AS (SELECT v.case_, v.iss, v.jti, \
     min(CASE v.state WHEN 'released' THEN v.idx END) AS released, min(CASE v.state WHEN 'released' THEN v.time END) AS released_at, \
     min(CASE v.state WHEN 'acknowledged' THEN v.idx END) AS acknowledged, min(CASE v.state WHEN 'uncollected' THEN v.idx END) AS uncollected \
     FROM evidence v WHERE v.case_ IN ";
/// Behind [`FATES`]; goes on with the same list and [`PASSAGES_ORDER`].
pub(super) const PASSAGES: &str = " GROUP BY v.case_, v.iss, v.jti) \
     SELECT m.iss, m.jti, m.aud, m.case_, m.kind, m.digest, m.idx, m.received, t.consent, t.reply_by, t.corrects, t.source, t.sent_for, t.sent_to, \
     f.released, f.released_at, f.acknowledged, f.uncollected FROM message m LEFT JOIN message_term t ON t.case_ = m.case_ AND t.jti = m.jti \
     LEFT JOIN fate f ON f.case_ = m.case_ AND f.iss = m.iss AND f.jti = m.jti WHERE m.case_ IN ";
pub(super) const PASSAGES_ORDER: &str = " ORDER BY m.case_, m.idx";
/// Goes on with a list of cases.
pub(super) const RELATIONS: &str = "SELECT case_, party, relation FROM case_party WHERE case_ IN ";
pub(super) const CASES_OVER: &str = "SELECT c.id FROM case_ c JOIN data_key k ON k.id = c.key \
     WHERE c.state IN ('closed', 'declined') AND k.wrapped IS NOT NULL AND c.id > $1 ORDER BY c.id LIMIT $2";
/// Goes on with a list of consents and [`CONSENT_FATES_ORDER`]: one row for each end, at least one.
pub(super) const CONSENT_FATES: &str = "SELECT c.jti, c.idx, r.time, c.ended, c.superseded_by, e.idx, l.time FROM consent c \
     JOIN ledger_entry r ON r.idx = c.idx LEFT JOIN consent_end e ON e.consent = c.jti LEFT JOIN ledger_entry l ON l.idx = e.idx WHERE c.jti IN ";
pub(super) const CONSENT_FATES_ORDER: &str = " ORDER BY c.jti, e.idx, e.seq";

/// SHA-256 of nothing: the root of the empty tree (RFC 6962 section 2.1).
pub(super) const EMPTY_ROOT: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
    0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];
