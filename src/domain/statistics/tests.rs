//! What is published leaves each hidden number its room, to everybody who knows the rule and everything that was published.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const NAMES: [RowName; 4] = [RowName::GroupHome, RowName::SupportFacility, RowName::LodgingTraining, RowName::DayService];

type Counts<'a> = (Division, &'a [u64]);

fn counted(tables: &[Counts<'_>]) -> Counted {
    let table = |(by, counts): &Counts<'_>| (*by, NAMES.iter().copied().zip(counts.iter().copied()).collect());
    Counted { subject: Subject::Decided, tables: tables.iter().map(table).collect(), days: Vec::new() }
}

type Published = (Option<u64>, Vec<Vec<Option<u64>>>);

fn published(tables: &[Counts<'_>]) -> Published {
    let numbers = counted(tables).publish();
    (numbers.total, numbers.tables.iter().map(|table| table.rows.iter().map(|row| row.count).collect()).collect())
}

/// Of one or several tables without categories.
fn plain(tables: &[&[u64]]) -> Published {
    published(&tables.iter().map(|counts| (Division::Outcome, *counts)).collect::<Vec<_>>())
}

/// Of one table by category.
fn by_category(counts: &[u64]) -> Published {
    published(&[(Division::Category, counts)])
}

/// Every table of so many rows with counts of up to `most`.
fn all(rows: usize, most: u64) -> Vec<Vec<u64>> {
    let mut tables = vec![Vec::new()];
    for _ in 0..rows {
        tables = tables.iter().flat_map(|table| (0..=most).map(move |count| [table.as_slice(), &[count]].concat())).collect();
    }
    tables
}

/// What is known of a table by its publication: the values that each number has in some world that gives it, and whether larger ones were left out.
#[derive(Default, Clone)]
struct Room {
    values: Vec<BTreeSet<u64>>,
    cut: bool,
}

/// Of all worlds that give the same publication, how many values each hidden number can have.
fn leave_room(by: &[Division], worlds: impl Iterator<Item = Vec<Vec<u64>>>, most: u64, least: usize) {
    let mut same: BTreeMap<Published, Vec<Room>> = BTreeMap::new();
    for world in worlds {
        let tables: Vec<Counts<'_>> = by.iter().copied().zip(world.iter().map(Vec::as_slice)).collect();
        let rooms = same.entry(published(&tables)).or_insert_with(|| vec![Room::default(); world.len()]);
        for (room, table) in rooms.iter_mut().zip(&world) {
            room.values.resize(table.len(), BTreeSet::new());
            for (values, count) in room.values.iter_mut().zip(table) {
                values.insert(*count);
            }
            // Worlds with larger numbers than were made would only add to it.
            room.cut |= table.contains(&most);
        }
    }
    let mut hidden_cells = 0;
    for ((total, tables), rooms) in &same {
        for (rows, room) in tables.iter().zip(rooms) {
            for (values, _) in room.values.iter().zip(rows).filter(|(_, count)| count.is_none()) {
                assert!(room.cut || values.len() >= least, "{total:?} {tables:?}: one can only be {values:?}");
                hidden_cells += 1;
            }
        }
    }
    assert!(hidden_cells > 50, "only {hidden_cells} numbers were hidden");
}

/// The worlds of two tables that add up to the same total.
fn pairs(one: &[Vec<u64>], other: &[Vec<u64>]) -> Vec<Vec<Vec<u64>>> {
    let of_sum: BTreeMap<u64, Vec<&Vec<u64>>> = other.iter().fold(BTreeMap::new(), |mut sums, table| {
        sums.entry(table.iter().sum()).or_insert_with(Vec::new).push(table);
        sums
    });
    let of_one = |table: &Vec<u64>| {
        let same = of_sum.get(&table.iter().sum()).cloned().unwrap_or_default().into_iter();
        same.map(|other| vec![table.clone(), other.clone()]).collect::<Vec<_>>()
    };
    one.iter().flat_map(of_one).collect()
}

#[test]
fn whoever_knows_the_rule_and_the_publication_cannot_tell_a_hidden_number_of_one_table() {
    for (by, least) in [(Division::Outcome, 9), (Division::Category, 10)] {
        leave_room(&[by], all(2, 60).into_iter().map(|table| vec![table]), 60, least);
        leave_room(&[by], all(3, 40).into_iter().map(|table| vec![table]), 40, least);
        leave_room(&[by], all(4, 20).into_iter().map(|table| vec![table]), 20, least);
    }
}

#[test]
fn nor_of_two_tables_that_add_up_to_the_same_total() {
    let two = all(2, 22);
    leave_room(&[Division::Outcome; 2], pairs(&two, &two).into_iter(), 22, 8);
    let three = all(3, 22);
    let received = [Division::ReferredBy, Division::Category];
    leave_room(&received, pairs(&two, &three).into_iter(), 22, 8);
}

#[test]
fn of_categories_nothing_is_given_but_ten_or_more() {
    for table in all(4, 13) {
        let (total, tables) = by_category(&table);
        let sum: u64 = table.iter().sum();
        for (given, count) in tables[0].iter().zip(&table) {
            assert!(sum == 0 || given.is_none_or(|given| given == *count && given >= MIN_CELL), "{table:?}");
        }
        assert!(total.is_none_or(|total| total == sum && !is_small(total)), "{table:?}");
        assert!(total.is_none() || tables[0].iter().filter(|count| count.is_none()).count() != 1, "the others tell it: {table:?}");
    }
}

#[test]
fn of_fewer_than_ten_persons_nobody_learns_a_category() {
    for table in all(4, 9).into_iter().filter(|table| is_small(table.iter().sum())) {
        assert_eq!(by_category(&table), (None, vec![vec![None; 4]]), "{table:?}");
    }
    // Nor of more, where all of them are of one category.
    for sum in 10..=18 {
        for table in all(4, sum).into_iter().filter(|table| table.iter().sum::<u64>() == sum) {
            assert_eq!(by_category(&table), (Some(sum), vec![vec![None; 4]]), "{table:?}");
        }
    }
}

#[test]
fn one_person_of_another_category_does_not_show_while_neither_number_reaches_ten() {
    let mut compared = 0;
    for table in all(3, 24) {
        for (from, to) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
            if table[from] == 0 || table[from] >= MIN_CELL || table[to] >= MIN_CELL - 1 {
                continue;
            }
            let mut other = table.clone();
            other[from] -= 1;
            other[to] += 1;
            assert_eq!(by_category(&table), by_category(&other), "{table:?} {other:?}");
            compared += 1;
        }
    }
    assert!(compared > 1000);
}

#[test]
fn no_small_number_is_ever_given_and_what_is_given_is_true() {
    for table in all(4, 14) {
        let (total, tables) = plain(&[&table]);
        for (given, count) in tables[0].iter().zip(&table) {
            assert!(given.is_none_or(|given| given == *count && !is_small(given)), "{table:?}");
            assert!(*count != 0 || *given == Some(0), "nought is nought: {table:?}");
        }
        assert!(total.is_none_or(|total| total == table.iter().sum::<u64>() && !is_small(total)), "{table:?}");
        let hidden = tables[0].iter().filter(|count| count.is_none()).count();
        assert!(total.is_none() || hidden != 1, "the total minus the others is the one that is hidden: {table:?}");
    }
}

#[test]
fn what_is_not_small_is_given() {
    assert_eq!(plain(&[&[40, 12, 0, 10]]), (Some(62), vec![vec![Some(40), Some(12), Some(0), Some(10)]]));
    assert_eq!(plain(&[&[0, 0, 0, 0]]), (Some(0), vec![vec![Some(0); 4]]));
    assert_eq!(plain(&[&[40, 3, 25, 0]]), (Some(68), vec![vec![None, None, Some(25), Some(0)]]));
    assert_eq!(plain(&[&[4, 3, 0, 0]]), (None, vec![vec![None, None, Some(0), Some(0)]]));
    // A small total hides every table that adds up to it.
    assert_eq!(plain(&[&[9, 0], &[4, 5]]), (None, vec![vec![None, Some(0)], vec![None, None]]));
    assert_eq!(by_category(&[40, 25, 0, 0]), (Some(65), vec![vec![None, Some(25), None, None]]));
    assert_eq!(by_category(&[40, 12, 11, 10]).1, [vec![Some(40), Some(12), Some(11), Some(10)]]);
    assert_eq!(by_category(&[0, 0, 0, 0]), (Some(0), vec![vec![Some(0); 4]]));
    // One table in which the sum would tell hides the total of the other too.
    assert_eq!(plain(&[&[1, 9, 0, 0], &[10, 0]]).0, None);
}

#[test]
fn a_median_is_of_ten_or_more() {
    let of = |days: Vec<i64>| Counted { days, ..counted(&[(Division::Outcome, &[1])]) }.publish().median_days;
    assert_eq!(of((0..9).collect()), None);
    assert_eq!(of((0..10).rev().collect()), Some(4));
    assert_eq!(of((0..11).collect()), Some(5));
    for subject in [Subject::Received, Subject::Consulted] {
        let arrived = Counted { subject, days: vec![0; 20], ..counted(&[(Division::Outcome, &[20])]) };
        assert_eq!(arrived.publish().median_days, None, "{subject}");
    }
}

#[test]
fn a_fiscal_year_begins_in_april_in_japan() {
    let year = FiscalYear::new(2026).unwrap();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    assert_eq!((year.from(), year.until()), (at("2026-03-31T15:00:00Z"), at("2027-03-31T15:00:00Z")));
    assert!(year.holds(at("2027-03-31T14:59:59.999999Z")) && !year.holds(at("2027-03-31T15:00:00Z")));
    assert!(FiscalYear::new(2019).is_none() && FiscalYear::new(9991).is_none());
}

#[test]
fn what_is_counted_stands_once_in_each_table() {
    for &subject in Subject::ALL {
        let mut counted = Counted::new(subject);
        let rows: Vec<RowName> = subject.divisions().iter().map(|by| by.rows()[0]).collect();
        counted.add(&rows, 3);
        assert!(counted.tables.iter().all(|(_, rows)| rows.iter().map(|(_, count)| count).sum::<u64>() == 1), "{subject}");
        assert_eq!(counted.tables.len(), rows.len());
    }
}
