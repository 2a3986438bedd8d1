//! What the help of the command line says in Japanese. The English is the program's own (its doc comments); each sentence has its Japanese in `help.ja.txt`.

use std::{collections::HashMap, sync::LazyLock};

/// The Japanese of a text of the help; the text itself where there is none.
#[must_use]
pub fn ja(en: &str) -> String {
    WORDS.get(key(en)).map_or(en, |ja| *ja).to_owned()
}

/// Every text that has a Japanese one.
pub fn known() -> impl Iterator<Item = &'static str> {
    WORDS.keys().copied()
}

/// Whether a text has a Japanese one.
#[must_use]
pub fn knows(en: &str) -> bool {
    WORDS.contains_key(key(en))
}

/// Doc comments end with a full stop, and clap takes it away from some of them.
fn key(en: &str) -> &str {
    en.trim().trim_end_matches('.')
}

/// English and Japanese by turns.
static WORDS: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let mut lines = include_str!("help.ja.txt").lines().filter(|line| !line.trim().is_empty());
    let mut words = HashMap::new();
    while let (Some(en), Some(ja)) = (lines.next(), lines.next()) {
        words.insert(key(en), ja.trim());
    }
    words
});
