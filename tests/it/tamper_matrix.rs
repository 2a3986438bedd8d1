//! The tamper matrix: every column of every table of the ledger, changed, exchanged, deleted, inserted and cut short by an administrator of the
//! database who goes past triggers and constraints. `tsunagi audit inspect` finds each, and names the first bad index.
//!
//! The cases come from the schema: a table or a column that is added later is in the matrix, or this test fails. Each case shows that the database
//! did change. What nobody can find is said where it is left out. Each kind of change of a column is made in one of its rows, the first, one in the
//! middle or the last, in turn; with `TSUNAGI_TAMPER_ALL=1` in all three. `TSUNAGI_TAMPER_ENTRIES=70000` writes a ledger with tiles of the second level.

use std::{path::Path, sync::Arc};

use tsunagi::{
    ledger::verify::Report,
    store::{Store, create},
    text::audit::Finding,
    tlog::{Checkpoint, Frontier, leaf_hash},
};

use crate::{
    ledger_stage::{ORIGIN, POLICY},
    postgres_stage,
    tamper_stage::{
        Ledger,
        superuser::{Cells, PostgresAdmin, SqliteAdmin, Superuser, Value},
    },
};

/// Two full tiles and a right edge.
const SIZE: u64 = 530;

/// What must be said about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The first bad index.
    At(u64),
    /// It concerns the ledger as a whole: no entry can be named.
    Whole,
}

/// One change.
struct Case {
    name: String,
    sql: Vec<String>,
    expected: Expected,
}

#[tokio::test]
async fn every_change_by_the_administrator_of_a_sqlite_file_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let store = create(&*url(&file), ORIGIN, POLICY).await.unwrap();
    let ledger = Ledger::write(&store, size()).await;
    matrix(&ledger, &store, &mut SqliteAdmin::open(&file).await).await;
}

#[tokio::test]
async fn every_change_by_the_superuser_of_postgresql_is_found() {
    let Some(database) = postgres_stage::database() else { return };
    let store = create(&*database.owner(), ORIGIN, POLICY).await.unwrap();
    let ledger = Ledger::write(&store, size()).await;
    matrix(&ledger, &store, &mut PostgresAdmin::open(&database.superuser()).await).await;
}

/// Makes every change, shows that it was made, asks what is found, and takes it back.
async fn matrix(ledger: &Ledger, store: &Arc<dyn Store>, admin: &mut dyn Superuser) {
    let insight = ledger.insight(store);
    store_checkpoints(ledger, store, admin).await;
    let report = ledger.inspect(store, &insight, Some(&ledger.kept)).await;
    assert!(report.holds() && report.remarks.is_empty(), "{:?} {:?}", report.problems.first(), report.remarks);
    let (mut number, mut wrong) = (0, Vec::new());
    for table in tables(admin).await {
        admin.keep(&table).await;
        let original = admin.rows(&table).await;
        for case in cases(admin, ledger, &table).await {
            for sql in &case.sql {
                admin.run(sql.clone()).await;
            }
            assert_ne!(admin.rows(&table).await, original, "{}: nothing changed", case.name);
            let report = ledger.inspect(store, &insight, None).await;
            if !found(&report, case.expected) {
                let said = &report.problems[..report.problems.len().min(4)];
                wrong.push(format!("{}: wanted {:?}, found {said:?}", case.name, case.expected));
            }
            admin.restore(&table).await;
            number += 1;
        }
        assert_eq!(admin.rows(&table).await, original, "{table} is not what it was");
    }
    let report = ledger.inspect(store, &insight, Some(&ledger.kept)).await;
    assert!(report.holds(), "what was taken back is still found: {:?}", report.problems.first());
    println!("{number} changes of the database, {} not found as they should be", wrong.len());
    assert!(wrong.is_empty(), "{} of {number}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(number >= 180, "only {number} changes");
}

#[tokio::test]
async fn a_history_that_was_rewritten_as_a_whole_is_found_by_a_kept_checkpoint() {
    // The administrator cuts off the last entries, or changes one, and makes everything else fit: only what he cannot sign is left to tell.
    for rewrite in [Rewrite::CutTo(35), Rewrite::Change(21)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.db");
        let store = create(&*url(&file), ORIGIN, POLICY).await.unwrap();
        let ledger = Ledger::write(&store, 40).await;
        let insight = ledger.insight(&store);
        let mut admin = SqliteAdmin::open(&file).await;
        rewrite.run(&mut admin).await;
        let alone = ledger.inspect(&store, &insight, None).await;
        assert!(alone.holds(), "nothing in the database can tell: {:?}", alone.problems);
        let kept = ledger.inspect(&store, &insight, Some(&ledger.kept)).await;
        let finding = if matches!(rewrite, Rewrite::CutTo(_)) { Finding::KeptNewer } else { Finding::HistoryForked };
        assert!(kept.has(finding), "{:?}", kept.problems);
        // What the gateway signed and stored before the change tells too, as long as it is there.
        if let Rewrite::Change(_) = rewrite {
            store_checkpoint(&ledger.kept, 40, &mut admin).await;
            assert!(ledger.inspect(&store, &insight, None).await.first_bad() == Some(39));
        }
    }
}

enum Rewrite {
    CutTo(u64),
    Change(u64),
}

impl Rewrite {
    async fn run(&self, admin: &mut SqliteAdmin) {
        if let Self::CutTo(size) = self {
            for table in ["ledger_leaf", "ledger_entry", "ledger_opening", "ledger_index"] {
                admin.run(format!("DELETE FROM {table} WHERE idx >= {size}")).await;
            }
        }
        let mut frontier = Frontier::new();
        let mut last = Value::Null;
        for row in admin.rows("ledger_entry").await {
            let (Value::Int(idx), Value::Blob(body)) = (&row["idx"], &row["body"]) else { panic!("{row:?}") };
            let mut body = body.clone();
            if matches!(self, Self::Change(change) if i64::try_from(*change).unwrap() == *idx) {
                body = String::from_utf8(body).unwrap().replacen("\"node\":\"gw-1\"", "\"node\":\"gw-2\"", 1).into_bytes();
                let body = admin.literal(&Value::Blob(body.clone()));
                admin.run(format!("UPDATE ledger_entry SET body = {body} WHERE idx = {idx}")).await;
            }
            let hash = leaf_hash(&body);
            frontier.push(hash).unwrap();
            let hash = admin.literal(&Value::Blob(hash.0.to_vec()));
            admin.run(format!("UPDATE ledger_leaf SET leaf_hash = {hash} WHERE idx = {idx}")).await;
            last = row["time"].clone();
        }
        let (root, edge) = (admin.literal(&Value::Blob(frontier.root().0.to_vec())), admin.literal(&Value::Blob(frontier.to_bytes())));
        let (size, last) = (frontier.size(), admin.literal(&last));
        let moved: i64 = epoch(&admin.rows("ledger_entry").await);
        admin
            .run(format!(
                "UPDATE ledger_head SET size = {size}, root = {root}, frontier = {edge}, last_time = {last}, rights_epoch = {moved}"
            ))
            .await;
    }
}

/// How often the entries that are left moved the rights.
fn epoch(entries: &[Cells]) -> i64 {
    let moves = |row: &&Cells| {
        let (Value::Text(kind), Value::Blob(body)) = (&row["type"], &row["body"]) else { panic!("{row:?}") };
        let supersedes = String::from_utf8_lossy(body).contains("\"act\":\"supersede\"");
        ["party", "policy", "consent_end"].contains(&kind.as_str()) || supersedes
    };
    i64::try_from(entries.iter().filter(moves).count()).unwrap()
}

fn all() -> bool {
    std::env::var_os("TSUNAGI_TAMPER_ALL").is_some()
}

fn size() -> u64 {
    std::env::var("TSUNAGI_TAMPER_ENTRIES").map_or(SIZE, |entries| entries.parse().expect("a number of entries"))
}

fn url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

/// Stores checkpoints as a gateway publishes them.
async fn store_checkpoints(ledger: &Ledger, store: &Arc<dyn Store>, admin: &mut dyn Superuser) {
    for of in [size() / 3, size()] {
        store_checkpoint(&ledger.checkpoint(&**store, of).await, of, admin).await;
    }
}

async fn store_checkpoint(note: &str, size: u64, admin: &mut dyn Superuser) {
    let root = Checkpoint::parse(note.split_once("\n\n").map(|(text, _)| format!("{text}\n")).as_deref().unwrap()).unwrap().root();
    let (root, note) = (admin.literal(&Value::Blob(root.0.to_vec())), admin.literal(&Value::Text(note.to_owned())));
    admin.run(format!("INSERT INTO ledger_checkpoint (size, root, note, cosignatures) VALUES ({size}, {root}, {note}, '')")).await;
}

fn found(report: &Report, expected: Expected) -> bool {
    !report.holds()
        && match expected {
            Expected::At(idx) => report.first_bad() == Some(idx),
            Expected::Whole => report.first_bad().is_none() && !report.problems.is_empty(),
        }
}

/// The tables of the ledger.
async fn tables(admin: &mut dyn Superuser) -> Vec<String> {
    let mut tables = admin.tables().await;
    // How witnesses stand and who publishes: no part of the ledger, and lost without loss.
    tables.retain(|table| !["ledger_witness", "ledger_publisher"].contains(&table.as_str()));
    let known = ["checkpoint", "entry", "head", "index", "leaf", "opening", "tile"].map(|name| format!("ledger_{name}"));
    assert_eq!(tables, known, "a table of the ledger that the matrix does not know: say what the inspection finds in it");
    tables
}

/// Every change of every column of a table, and every change of its rows.
async fn cases(admin: &mut dyn Superuser, ledger: &Ledger, table: &str) -> Vec<Case> {
    let (columns, rows) = (admin.columns(table).await, admin.rows(table).await);
    assert!(!rows.is_empty(), "{table} has no row to change");
    let keys = columns.iter().filter(|column| column.key).map(|column| column.name.clone()).collect();
    let size = i64::try_from(size()).unwrap();
    let of = Of { table: table.to_owned(), keys, rows, size, activation: ledger.activation };
    let mut cases = Vec::new();
    for column in &columns {
        let before = cases.len();
        of.column(admin, &column.name, column.nullable, column.key, &mut cases);
        assert!(cases.len() > before, "{table}.{} is not changed by any case", column.name);
    }
    of.whole_rows(admin, &mut cases);
    let mut names = std::collections::BTreeSet::new();
    cases.retain(|case| names.insert(case.name.clone()));
    cases
}

/// A table that is tampered with.
struct Of {
    table: String,
    keys: Vec<String>,
    rows: Vec<Cells>,
    size: i64,
    activation: u64,
}

impl Of {
    fn name(&self) -> &str {
        self.table.strip_prefix("ledger_").unwrap()
    }

    /// Which row a statement means.
    fn place(&self, admin: &dyn Superuser, row: &Cells) -> String {
        let key = |key: &String| format!("{key} = {}", admin.literal(&row[key]));
        self.keys.iter().map(key).collect::<Vec<_>>().join(" AND ")
    }

    fn set(&self, admin: &dyn Superuser, row: &Cells, column: &str, value: &Value) -> String {
        format!("UPDATE {} SET {column} = {} WHERE {}", self.table, admin.literal(value), self.place(admin, row))
    }

    fn add(&self, cases: &mut Vec<Case>, name: &str, sql: Vec<String>, expected: Expected) {
        cases.push(Case { name: format!("{}: {name}", self.table), sql, expected });
    }

    /// Flips, cuts, lengthens, empties, voids and exchanges the values of a column.
    fn column(&self, admin: &dyn Superuser, column: &str, nullable: bool, key: bool, cases: &mut Vec<Case>) {
        let filled: Vec<&Cells> = self.rows.iter().filter(|row| row[column] != Value::Null).collect();
        for (place, row) in [filled.first(), filled.get(filled.len() / 2), filled.last()].into_iter().flatten().enumerate() {
            let mut values = changed(&row[column], key, self.size);
            if nullable {
                values.push(("voided", Value::Null));
            }
            for (_, (how, value)) in values.into_iter().enumerate().filter(|(n, _)| n % 3 == place || all()) {
                let expected = self.expected(column, row, &value);
                let name = format!("{column} {how} where {}", self.place(admin, row));
                self.add(cases, &name, vec![self.set(admin, row, column, &value)], expected);
            }
        }
        if let Some(row) = self.rows.iter().find(|row| row[column] == Value::Null) {
            let value = filled.first().map(|row| row[column].clone()).expect("a value");
            let name = format!("{column} given a value where {}", self.place(admin, row));
            self.add(cases, &name, vec![self.set(admin, row, column, &value)], self.expected(column, row, &value));
        }
        if self.rows.len() > 1 {
            self.exchange(admin, column, key, &filled, cases);
        }
    }

    /// Two rows exchange a value.
    fn exchange(&self, admin: &dyn Superuser, column: &str, key: bool, filled: &[&Cells], cases: &mut Vec<Case>) {
        let one = filled.get(filled.len() / 3).expect("a row");
        let with = |row: &Cells, value: &Value| {
            let mut row = row.clone();
            row.insert(column.to_owned(), value.clone());
            row
        };
        let same_key = |a: &Cells, b: &Cells| self.keys.iter().all(|key| a[key] == b[key]);
        // Not such that two rows would have one key afterwards, nor such that each becomes the other and nothing changed.
        let can = |other: &&&Cells| {
            let after = [with(one, &other[column]), with(other, &one[column])];
            let taken = |row: &Cells| self.rows.iter().any(|r| same_key(r, row) && !same_key(r, one) && !same_key(r, other));
            other[column] != one[column] && after[0] != ***other && !(key && after.iter().any(taken))
        };
        let Some(other) = filled.iter().rev().find(can) else {
            assert!(["index", "checkpoint", "tile"].contains(&self.name()), "{}.{column}: all rows have the same value", self.table);
            return;
        };
        let expected = match (self.expected(column, one, &other[column]), self.expected(column, other, &one[column])) {
            (Expected::At(one), Expected::At(other)) => Expected::At(one.min(other)),
            _ => Expected::Whole,
        };
        let (mine, theirs) = (&one[column], &other[column]);
        let aside = match mine {
            Value::Int(_) => Value::Int(-777),
            Value::Text(_) => Value::Text("aside".to_owned()),
            _ => Value::Blob(vec![7; 7]),
        };
        // Past unique indexes: one steps aside first.
        let sql = vec![
            self.set(admin, one, column, &aside),
            self.set(admin, other, column, mine),
            self.set(admin, &if key { with(one, &aside) } else { (*one).clone() }, column, theirs),
        ];
        self.add(cases, &format!("{column} exchanged: {} and {}", self.place(admin, one), self.place(admin, other)), sql, expected);
    }

    /// Rows deleted, doubled under another key, and all of them gone.
    fn whole_rows(&self, admin: &dyn Superuser, cases: &mut Vec<Case>) {
        // A stored checkpoint is a copy of what can be signed again at any time: that one is gone cannot be told from the ledger, and loses nothing.
        let tells = self.name() != "checkpoint";
        for row in [self.rows.first(), self.rows.get(self.rows.len() / 2), self.rows.last()].into_iter().flatten() {
            let place = self.place(admin, row);
            if tells {
                let sql = format!("DELETE FROM {} WHERE {place}", self.table);
                self.add(cases, &format!("row deleted where {place}"), vec![sql], self.gone(row));
            }
            for (key, value) in self.keys.iter().flat_map(|key| new_keys(&row[key], self.size).map(|value| (key, value))) {
                let mut copy = row.clone();
                copy.insert(key.clone(), value.clone());
                let expected = self.inserted(key, row, &value);
                let (names, values): (Vec<_>, Vec<_>) = copy.iter().map(|(name, value)| (name.clone(), admin.literal(value))).unzip();
                let sql = format!("INSERT INTO {} ({}) VALUES ({})", self.table, names.join(", "), values.join(", "));
                self.add(cases, &format!("row inserted like {place}, {key} = {}", admin.literal(&value)), vec![sql], expected);
            }
        }
        if tells {
            let gone = self.rows.iter().map(|row| self.gone(row)).min_by_key(|expected| match expected {
                Expected::At(idx) => *idx,
                Expected::Whole => u64::MAX,
            });
            self.add(cases, "all rows deleted", vec![format!("DELETE FROM {}", self.table)], gone.expect("a row"));
        }
    }

    /// The first entry that a row speaks of.
    fn first(&self, row: &Cells) -> u64 {
        let int = |name: &str| match row[name] {
            Value::Int(n) => u64::try_from(n).unwrap(),
            _ => panic!("{}.{name}", self.table),
        };
        match self.name() {
            "tile" => int("n") * 256_u64.pow(u32::try_from(int("level")).unwrap() + 1),
            "checkpoint" => int("size") - 1,
            _ => int("idx"),
        }
    }

    fn gone(&self, row: &Cells) -> Expected {
        if self.name() == "head" { Expected::Whole } else { Expected::At(self.first(row)) }
    }

    /// What is found when a column of a row has another value.
    fn expected(&self, column: &str, row: &Cells, value: &Value) -> Expected {
        let size = u64::try_from(self.size).unwrap();
        match (self.name(), column, value) {
            // A head that is too small hides what is behind it, and its time is not that of the entry it ends with.
            ("head", "size", Value::Int(n)) => {
                u64::try_from(*n).map_or(Expected::Whole, |n| Expected::At(size.min(n.max(1) - u64::from(n < size))))
            }
            ("head", "last_time", _) => Expected::At(size - 1),
            // A digest of another length is no digest: then the head cannot be read at all.
            ("head", "policy", Value::Blob(bytes)) if bytes.len() == 32 => Expected::At(self.activation),
            ("head", ..) => Expected::Whole,
            ("tile", "hashes", Value::Blob(bytes)) => {
                let Value::Blob(old) = &row[column] else { panic!("hashes") };
                let at = if bytes.len() == old.len() { old.iter().zip(bytes).position(|(a, b)| a != b).unwrap_or(0) / 32 } else { 0 };
                Expected::At(self.first(row) + u64::try_from(at).unwrap() * Self::span(row))
            }
            // The note still speaks of the old size, the root is another tree's.
            ("checkpoint", "size", Value::Int(n)) => match u64::try_from(*n) {
                Ok(n) if n > size => Expected::At(n),
                Ok(n) if n > 0 => Expected::At(n - 1),
                _ => Expected::Whole,
            },
            ("index", "idx", Value::Int(n)) => {
                Expected::At(u64::try_from(*n).ok().map_or_else(|| self.first(row), |n| n.min(self.first(row))))
            }
            _ => Expected::At(self.first(row)),
        }
    }

    /// Entries below one hash of a tile.
    fn span(row: &Cells) -> u64 {
        match row["level"] {
            Value::Int(level) => 256_u64.pow(u32::try_from(level).unwrap()),
            _ => panic!("level"),
        }
    }

    /// What is found when there is one more row, like this one but for its key.
    fn inserted(&self, key: &str, row: &Cells, value: &Value) -> Expected {
        match (self.name(), key, value) {
            ("tile", "n", Value::Int(n)) => {
                let mut row = row.clone();
                row.insert("n".to_owned(), Value::Int(*n));
                if *n < 0 { Expected::Whole } else { Expected::At(self.first(&row)) }
            }
            ("head" | "tile", ..) => Expected::Whole,
            ("checkpoint", ..) => self.expected("size", row, value),
            ("index", "tag", _) => Expected::At(self.first(row)),
            (_, _, Value::Int(n)) => u64::try_from(*n).map_or(Expected::Whole, Expected::At),
            other => panic!("{other:?}"),
        }
    }
}

/// Other values than this one, each with what was done.
fn changed(value: &Value, key: bool, size: i64) -> Vec<(&'static str, Value)> {
    let mut found = match value {
        Value::Null => Vec::new(),
        Value::Int(_) if key => new_keys(value, size).map(|value| ("moved", value)).into(),
        Value::Int(n) => vec![("plus 1", Value::Int(n + 1)), ("minus 1", Value::Int(n - 1)), ("sign flipped", Value::Int(-n))],
        Value::Text(text) => {
            let mut flipped: Vec<char> = text.chars().collect();
            if let Some(first) = flipped.first_mut() {
                *first = if *first == 'z' { 'y' } else { 'z' };
            }
            let cut: String = text.chars().take(text.chars().count().saturating_sub(1)).collect();
            vec![
                ("flipped", Value::Text(flipped.into_iter().collect())),
                ("cut", Value::Text(cut)),
                ("lengthened", Value::Text(format!("{text}x"))),
                ("emptied", Value::Text(String::new())),
            ]
        }
        Value::Blob(bytes) => {
            let flip = |at: usize| {
                let mut bytes = bytes.clone();
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 0x20;
                }
                Value::Blob(bytes)
            };
            vec![
                ("first byte flipped", flip(0)),
                ("middle byte flipped", flip(bytes.len() / 2)),
                ("last byte flipped", flip(bytes.len().saturating_sub(1))),
                ("cut", Value::Blob(bytes.split_last().map_or_else(Vec::new, |(_, rest)| rest.to_vec()))),
                ("lengthened", Value::Blob([bytes.as_slice(), &[0]].concat())),
                ("emptied", Value::Blob(Vec::new())),
            ]
        }
    };
    found.retain(|(_, other)| other != value);
    found.dedup_by(|a, b| a.1 == b.1);
    found
}

/// Keys that no row has.
fn new_keys(value: &Value, size: i64) -> [Value; 2] {
    match value {
        Value::Int(_) => [Value::Int(-1), Value::Int(size + 1000)],
        Value::Blob(bytes) => {
            let mut flipped = bytes.clone();
            flipped[0] ^= 0x20;
            [Value::Blob(flipped), Value::Blob(bytes[1..].to_vec())]
        }
        other => panic!("a key like {other:?}"),
    }
}
