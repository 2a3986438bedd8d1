//! Who may see what, from the table that was written by hand (`tests/data/story/matrix.txt`): nothing here asks the gateway's own policies.

use std::collections::{BTreeMap, BTreeSet};

/// The table.
pub(crate) struct Matrix {
    columns: BTreeMap<String, BTreeMap<String, char>>,
    everybody: BTreeSet<String>,
    closed: BTreeSet<String>,
    behind: BTreeSet<String>,
    /// The class of each row of a message.
    classes: BTreeMap<String, String>,
}

/// How a reader stands to a message.
pub(crate) struct Stance<'a> {
    /// Kind of party.
    pub(crate) reader: &'a str,
    pub(crate) purpose: &'a str,
    pub(crate) relation: &'a str,
    /// State of the case, as it is.
    pub(crate) state: &'a str,
    /// Kind of message.
    pub(crate) kind: &'a str,
}

/// What a consent says of one reader: classes, and which of them were ticked one by one.
#[derive(Clone, Default)]
pub(crate) struct Said {
    pub(crate) classes: BTreeSet<String>,
    pub(crate) ticked: BTreeSet<String>,
}

impl Matrix {
    pub(crate) fn read() -> Self {
        let text = include_str!("../data/story/matrix.txt");
        let mut matrix = Self {
            columns: BTreeMap::new(),
            everybody: BTreeSet::new(),
            closed: BTreeSet::new(),
            behind: BTreeSet::new(),
            classes: BTreeMap::new(),
        };
        let mut numbered: Vec<String> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty() && !line.starts_with("class ")) {
            let words = |text: &str| -> BTreeSet<String> { text.split_whitespace().map(str::to_owned).collect() };
            match line.split_once(" = ") {
                Some(("everybody", list)) => matrix.everybody = words(list),
                Some(("closed", list)) => matrix.closed = words(list),
                Some(("behind", list)) => matrix.behind = words(list),
                Some((name, column)) if name.starts_with("column ") => {
                    matrix.columns.insert(column.to_owned(), BTreeMap::new());
                    numbered.push(column.to_owned());
                }
                Some((name, as_another)) => {
                    let (other, more) = as_another.split_once(" ○ ").unwrap_or((as_another, ""));
                    let mut column = matrix.columns[other].clone();
                    column.extend(words(more).into_iter().map(|class| (class, '○')));
                    assert!(matrix.columns.insert(name.to_owned(), column).is_none(), "{name} twice");
                }
                None => {
                    let mut cells = line.split_whitespace();
                    let class = cells.next().unwrap();
                    for column in &numbered {
                        let mark = cells.next().unwrap().chars().next().unwrap();
                        assert!("●○－".contains(mark), "{line}");
                        matrix.columns.get_mut(column).unwrap().insert(class.to_owned(), mark);
                    }
                }
            }
        }
        for line in include_str!("../data/field_catalogue.psv").lines().filter(|line| !line.starts_with('#')) {
            let cells: Vec<&str> = line.split('|').collect();
            matrix.classes.insert(cells[0].to_owned(), cells[4].to_owned());
        }
        assert_eq!((numbered.len(), matrix.columns[&numbered[0]].len()), (15, 41));
        matrix
    }

    pub(crate) fn class(&self, row: &str) -> &str {
        self.classes.get(row).unwrap_or_else(|| panic!("{row} is not in the catalogue"))
    }

    /// Whether a class is shown; without a consent only what is nobody's.
    pub(crate) fn shows(&self, stance: &Stance<'_>, class: &str, consent: Option<&Said>) -> bool {
        let closed = stance.relation == "closed" || self.is_behind(stance);
        if closed && !self.closed.contains(class) {
            return false;
        }
        if self.everybody.contains(class) {
            return true;
        }
        let Some(said) = consent.filter(|said| said.classes.contains(class)) else { return false };
        let column = self.columns.get(&format!("{} {} {}", stance.reader, stance.purpose, stance.relation));
        match column.and_then(|column| column.get(class)) {
            Some('●') => true,
            Some('○') => said.ticked.contains(class),
            _ => false,
        }
    }

    /// Whether the hand-over took it from a centre.
    pub(crate) fn is_behind(&self, stance: &Stance<'_>) -> bool {
        stance.reader == "settlement_center" && stance.state == "handed_over" && !self.behind.contains(stance.kind)
    }
}

#[test]
fn the_table_is_read_as_it_stands() {
    let matrix = Matrix::read();
    let home = |relation| Stance { reader: "group_home", purpose: "placement", relation, state: "accepted", kind: "placement_request" };
    let all: Said = Said { classes: matrix.classes.values().cloned().collect(), ticked: BTreeSet::new() };
    let ticked = Said { ticked: all.classes.clone(), ..all.clone() };
    assert!(matrix.shows(&home("considering"), "identity", Some(&all)) && !matrix.shows(&home("prospective"), "identity", Some(&all)));
    assert!(!matrix.shows(&home("considering"), "criminal_summary", Some(&all)));
    assert!(matrix.shows(&home("considering"), "criminal_summary", Some(&ticked)));
    assert!(!matrix.shows(&home("considering"), "identity", None) && matrix.shows(&home("considering"), "task", None));
    assert!(!matrix.shows(&home("closed"), "task", Some(&all)));
    assert_eq!((matrix.class("offence_name"), matrix.class("decision")), ("criminal_detail", "task"));
}
