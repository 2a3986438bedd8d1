//! The schema as the database has it, beside the one that the migrations of this build make: what an administrator adds, takes away or changes makes rows
//! appear, change or vanish behind every query.
//!
//! Promises: whatever bears on the tables of this program is named: tables, columns, constraints, indexes, triggers, rules, policies, views, functions. Each
//! difference names an object and never a value. A table of somebody else that nothing here reads is left alone.

/// Something that a schema holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    /// What it is.
    pub(super) kind: String,
    /// The table that it bears on; empty where there is none.
    pub(super) table: String,
    pub(super) name: String,
    /// What it says, as the database writes it.
    pub(super) definition: String,
}

impl Object {
    fn is(&self, other: &Self) -> bool {
        (&self.kind, &self.table, &self.name) == (&other.kind, &other.table, &other.name)
    }

    fn fault(&self, difference: Difference) -> SchemaFault {
        let on = if self.table.is_empty() || self.table == self.name { String::new() } else { format!(" on {}", self.table) };
        SchemaFault { object: format!("{} {}{on}", self.kind, self.name), difference }
    }
}

/// Something of the schema that is not as the migrations make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFault {
    /// What, by its name.
    pub object: String,
    /// What is wrong with it.
    pub difference: Difference,
}

/// How an object of the schema is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// It is not there.
    Missing,
    /// No migration makes it.
    Surplus,
    /// It says something else.
    Differs,
    /// The database's own check finds it damaged.
    Damaged,
}

/// What is not as expected; in the order of what was found, then what is missing.
pub(super) fn compare(expected: &[Object], found: &[Object]) -> Vec<SchemaFault> {
    let mut faults = Vec::new();
    for object in found.iter().filter(|object| !expected.contains(object)) {
        // Of two functions of one name, the one that is as it should be is not the one that differs.
        let stands_for_one = expected.iter().any(|one| one.is(object) && !found.contains(one));
        faults.push(object.fault(if stands_for_one { Difference::Differs } else { Difference::Surplus }));
    }
    let missing = expected.iter().filter(|one| !found.iter().any(|object| object.is(one)));
    faults.extend(missing.map(|one| one.fault(Difference::Missing)));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, table: &str, name: &str, definition: &str) -> Object {
        Object { kind: kind.to_owned(), table: table.to_owned(), name: name.to_owned(), definition: definition.to_owned() }
    }

    #[test]
    fn each_difference_is_named_once() {
        let expected = [object("index", "t", "a", "1"), object("index", "t", "b", "1"), object("function", "", "f", "1")];
        assert_eq!(compare(&expected, &expected), []);
        let found = [
            object("index", "t", "a", "2"),
            object("trigger", "t", "x", ""),
            object("function", "", "f", "1"),
            object("function", "", "f", "2"),
        ];
        let told: Vec<_> = compare(&expected, &found).into_iter().map(|fault| (fault.object, fault.difference)).collect();
        let named = |object: &str, difference| (object.to_owned(), difference);
        assert_eq!(
            told,
            [
                named("index a on t", Difference::Differs),
                named("trigger x on t", Difference::Surplus),
                named("function f", Difference::Surplus),
                named("index b on t", Difference::Missing),
            ]
        );
    }
}
