//! A whole database copied into an empty one, from either kind to either kind: every row of every table, as of one moment.
//!
//! Promises: the source is only read, in one snapshot. The target becomes a database with the last step alone, which commits everything: before it every
//! row was read back and compared, and the tree over the leaves recomputed. If we crash before, the target is refused by [`super::open`] and the source
//! is what it was. Not here: which database takes the place of which, the tree's mathematics.

mod columns;
mod postgres;
mod sqlite;
mod tables;

use async_trait::async_trait;

use self::{
    columns::{Column, Row, Tally},
    postgres::EmptyDatabase,
    sqlite::NewFile,
    tables::{LEFT_OUT, TABLES, Table},
};
use super::{Address, HeadRow, StoreError, decode};

/// How others may use the source meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Not at all: what comes after the copy would be in neither. A file that somebody has open is refused with [`StoreError::InUse`]. A PostgreSQL
    /// database knows no such lock, and its appends wait until the copy is done.
    Alone,
    /// As they like. What they write after the copy began is not in it.
    Shared,
}

/// Recomputes the tree over the leaves that arrived.
pub trait Recount: Send {
    /// Takes the next leaf in order, and the entry it stands for where that is still stored. False: they do not belong together.
    fn leaf(&mut self, hash: &[u8; 32], body: Option<&[u8]>) -> bool;
    /// The root over the leaves so far.
    fn root(&self) -> [u8; 32];
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The head of both.
    pub head: HeadRow,
    /// Rows of each table.
    pub rows: Vec<(&'static str, u64)>,
}

/// Copies `from` into `to`, which must be empty: a file that does not exist, or a PostgreSQL database without tables. Its tables belong to `owner`, and the
/// role of `to` gets what gateways need; without an owner that role owns them.
pub async fn copy(from: &Address, to: &Address, owner: Option<&Address>, hold: Hold, recount: impl Recount) -> Result<Copied, StoreError> {
    let mut source = open(from, hold).await?;
    let mut place = match to.file() {
        Some(url) => Place::File(NewFile::create(url).await?),
        None if to.is_postgres() => Place::Server(EmptyDatabase::connect(to, owner).await?),
        None => return Err(StoreError::UnknownScheme),
    };
    let filled = fill(source.as_mut(), &mut place, recount).await;
    match place {
        Place::File(file) => file.close(filled.is_ok()).await?,
        Place::Server(server) => server.close().await,
    }
    // Held until here, so that nobody wrote to it meanwhile.
    source.end().await?;
    filled
}

/// Where a copy is made.
enum Place {
    File(NewFile),
    Server(EmptyDatabase),
}

async fn fill(source: &mut dyn Source, place: &mut Place, recount: impl Recount) -> Result<Copied, StoreError> {
    let mut target: Box<dyn Target + '_> = match place {
        Place::File(file) => Box::new(file.begin().await?),
        Place::Server(server) => Box::new(server.begin().await?),
    };
    let copied = transfer(source, target.as_mut(), recount).await?;
    target.commit().await?;
    Ok(copied)
}

async fn open(from: &Address, hold: Hold) -> Result<Box<dyn Source>, StoreError> {
    match from.file() {
        Some(url) => Ok(Box::new(sqlite::open(url, hold).await?)),
        None if from.is_postgres() => Ok(Box::new(postgres::open(from, hold).await?)),
        None => Err(StoreError::UnknownScheme),
    }
}

/// Everything but the commit.
async fn transfer(source: &mut dyn Source, target: &mut dyn Target, mut recount: impl Recount) -> Result<Copied, StoreError> {
    all_known(source.tables().await?)?;
    all_known(target.reads().tables().await?)?;
    let head = source.head().await?;
    let mut rows = Vec::new();
    for table in TABLES {
        let columns = same(table, target.columns(table.name).await?, &source.columns(table.name).await?)?;
        let mut pages = Pages::new(&mut *source, table, &columns);
        target.write(&mut pages).await?;
        let (read, mut back) = (pages.tally, Pages::new(target.reads(), table, &columns));
        while back.next().await?.is_some() {}
        if back.tally != read {
            return Err(StoreError::Miscopied(table.name));
        }
        rows.push((table.name, read.rows));
    }
    if target.reads().head().await? != head {
        return Err(StoreError::Miscopied("ledger_head"));
    }
    count_again(target.reads(), &head, &mut recount).await?;
    Ok(Copied { head, rows })
}

/// The leaves are those of the head: as many, without a gap, and with its root.
async fn count_again(target: &mut dyn Source, head: &HeadRow, recount: &mut impl Recount) -> Result<(), StoreError> {
    let mut next = 0;
    loop {
        let leaves = target.leaves(next, PAGE).await?;
        if leaves.is_empty() {
            break;
        }
        for (idx, hash, body) in leaves {
            let hash = decode::hash("ledger_leaf.leaf_hash", &hash)?;
            if idx != next || !recount.leaf(&hash, body.as_deref()) {
                return Err(StoreError::Broken(decode::count("ledger_leaf.idx", idx.min(next))?));
            }
            next += 1;
        }
    }
    let size = decode::count("ledger_leaf.idx", next)?;
    if size == head.size && recount.root() == head.root { Ok(()) } else { Err(StoreError::Broken(size.min(head.size))) }
}

/// A table that is not copied would be lost.
fn all_known(tables: Vec<String>) -> Result<(), StoreError> {
    let known = |name: &String| LEFT_OUT.contains(&name.as_str()) || TABLES.iter().any(|table| table.name == name);
    match tables.into_iter().find(|name| !known(name)) {
        Some(unknown) => Err(StoreError::Schema(format!("table {unknown} is not known to the copy"))),
        None => Ok(()),
    }
}

/// The columns of the target's table, in its order, if both have the same.
fn same(table: &Table, target: Vec<Column>, source: &[Column]) -> Result<Vec<Column>, StoreError> {
    let alike = target.len() == source.len() && target.iter().all(|column| source.contains(column));
    let keyed = table.key.iter().all(|key| target.iter().any(|column| column.name == *key));
    if alike && keyed { Ok(target) } else { Err(StoreError::Schema(format!("table {} differs between the databases", table.name))) }
}

/// One database, in one transaction.
#[async_trait]
trait Source: Send {
    /// Names of the tables, those of the migrations left out.
    async fn tables(&mut self) -> Result<Vec<String>, StoreError>;
    /// The columns of a table in its order.
    async fn columns(&mut self, table: &'static str) -> Result<Vec<Column>, StoreError>;
    /// Rows of a table in the order of its key, after one of them.
    async fn page(&mut self, table: &Table, columns: &[Column], after: Option<&Row>) -> Result<Vec<Row>, StoreError>;
    /// The head.
    async fn head(&mut self) -> Result<HeadRow, StoreError>;
    /// Leaves from an index on: index, hash and, where it is stored, the entry.
    async fn leaves(&mut self, from: i64, limit: i64) -> Result<Vec<Leaf>, StoreError>;
    /// Ends the transaction of a source.
    async fn end(&mut self) -> Result<(), StoreError>;
}

type Leaf = (i64, Vec<u8>, Option<Vec<u8>>);

/// An empty database with this program's tables, in one transaction.
#[async_trait]
trait Target: Send {
    /// The columns of a table in its order.
    async fn columns(&mut self, table: &'static str) -> Result<Vec<Column>, StoreError>;
    /// Writes all rows of a table.
    async fn write(&mut self, pages: &mut Pages<'_>) -> Result<(), StoreError>;
    /// What was written, in the same transaction.
    fn reads(&mut self) -> &mut dyn Source;
    /// Makes it a database, durably.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// The rows of a table, page by page.
struct Pages<'s> {
    source: &'s mut dyn Source,
    table: &'static Table,
    columns: &'s [Column],
    last: Option<Row>,
    tally: Tally,
}

impl<'s> Pages<'s> {
    fn new(source: &'s mut dyn Source, table: &'static Table, columns: &'s [Column]) -> Self {
        Self { source, table, columns, last: None, tally: Tally::default() }
    }

    async fn next(&mut self) -> Result<Option<Vec<Row>>, StoreError> {
        let rows = self.source.page(self.table, self.columns, self.last.as_ref()).await?;
        for row in &rows {
            self.tally.add(row)?;
        }
        let Some(last) = rows.last() else { return Ok(None) };
        self.last = Some(last.clone());
        Ok(Some(rows))
    }
}

/// Statement for a page of a table: `$1` and on are the key of the row before.
fn page_of(table: &Table, columns: &[Column], after: bool) -> String {
    let list = |names: &mut dyn Iterator<Item = String>| names.collect::<Vec<_>>().join(", ");
    let quoted = |name: &str| format!("\"{name}\"");
    let key = list(&mut table.key.iter().map(|name| quoted(name)));
    let behind = if after {
        format!(" WHERE ({key}) > ({})", list(&mut (1..=table.key.len()).map(|number| format!("${number}"))))
    } else {
        String::new()
    };
    let all = list(&mut columns.iter().map(|column| quoted(&column.name)));
    format!("SELECT {all} FROM {}{behind} ORDER BY {key} LIMIT {PAGE}", table.name)
}

/// The values of a row that its key is made of.
fn key_of(table: &Table, columns: &[Column], row: &Row) -> Row {
    let position = |name: &str| columns.iter().position(|column| column.name == name);
    table.key.iter().filter_map(|name| row.get(position(name)?).cloned()).collect()
}

const LEAVES: &str = "SELECT l.idx, l.leaf_hash, e.body FROM ledger_leaf l LEFT JOIN ledger_entry e ON e.idx = l.idx \
     WHERE l.idx >= $1 ORDER BY l.idx LIMIT $2";
/// Rows at a time. The largest hold a message each.
const PAGE: i64 = 256;
