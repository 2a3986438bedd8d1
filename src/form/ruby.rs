//! Readings over the kanji (振り仮名), from a word list: the longest word that fits wins.
//!
//! Not here: guessing. What the list does not hold stays without a reading; a test sees to it that the form's own words are all in it.

use std::{collections::HashMap, sync::LazyLock};

/// A piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// As it is.
    Plain(&'a str),
    /// Kanji with their reading.
    Read(&'a str, &'a str),
}

/// The text in pieces.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut left = text;
    let mut plain = 0;
    while let Some(char) = left.get(plain..).and_then(|rest| rest.chars().next()) {
        match left.get(plain..).and_then(word_at) {
            Some(word) => {
                found.extend(left.get(..plain).filter(|before| !before.is_empty()).map(Piece::Plain));
                found.extend(word.pieces.iter().copied());
                left = left.get(plain + word.length..).unwrap_or_default();
                plain = 0;
            }
            None => plain += char.len_utf8(),
        }
    }
    if !left.is_empty() {
        found.push(Piece::Plain(left));
    }
    found
}

struct Word {
    /// In bytes.
    length: usize,
    pieces: Vec<Piece<'static>>,
}

/// The longest word of the list at the start of a text.
fn word_at(text: &str) -> Option<&'static Word> {
    let ends: Vec<usize> = text.char_indices().map(|(at, char)| at + char.len_utf8()).take(LONGEST).collect();
    ends.iter().rev().find_map(|end| text.get(..*end).and_then(|head| WORDS.get(head)))
}

/// A line of the list: kanji with their reading in brackets, and the kana between.
fn word(line: &'static str) -> (String, Word) {
    let mut pieces = Vec::new();
    for part in line.split_inclusive(']') {
        match part.strip_suffix(']').and_then(|part| part.split_once('[')) {
            Some((before, reading)) => {
                let kanji = before.char_indices().rev().take_while(|(_, char)| !is_kana(*char)).last().map_or(before.len(), |(at, _)| at);
                let (kana, kanji) = before.split_at_checked(kanji).unwrap_or((before, ""));
                pieces.extend((!kana.is_empty()).then_some(Piece::Plain(kana)));
                pieces.push(Piece::Read(kanji, reading));
            }
            None => pieces.push(Piece::Plain(part)),
        }
    }
    let written: String = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Plain(text) | Piece::Read(text, _) => *text,
        })
        .collect();
    (written.clone(), Word { length: written.len(), pieces })
}

const fn is_kana(char: char) -> bool {
    matches!(char, '\u{3040}'..='\u{30ff}')
}

static WORDS: LazyLock<HashMap<String, Word>> = LazyLock::new(|| LIST.lines().filter(|line| line.contains('[')).map(word).collect());
const LIST: &str = include_str!("ruby.txt");
/// Characters of the longest word.
const LONGEST: usize = 12;
