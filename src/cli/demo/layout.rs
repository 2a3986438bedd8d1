//! Text in columns, for terminals whose Japanese characters are two columns wide.

/// Columns a text takes: two for the characters that Unicode (UAX 11) calls wide or fullwidth, none for marks that combine, one for the rest.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

fn columns(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200f | 0x3099..=0x309a | 0xfe00..=0xfe0f | 0xe0100..=0xe01ef => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe4f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// The text, cut to at most `room` columns with an ellipsis.
pub(super) fn cut(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += columns(c);
        if used > room {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// The text with spaces up to `room` columns.
pub(super) fn pad(text: &str, room: usize) -> String {
    format!("{text}{}", " ".repeat(room.saturating_sub(width(text))))
}

/// Lines of at most `room` columns: broken at spaces, and between Japanese characters, but never before what may not begin a line.
pub(super) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in pieces(text) {
        let Some(line) = lines.last_mut() else { break };
        if width(line) + width(piece.trim_end()) > room && !line.is_empty() {
            let kept = line.trim_end().len();
            line.truncate(kept);
            lines.push(piece.trim_start().to_owned());
        } else {
            line.push_str(piece);
        }
    }
    if let Some(line) = lines.last_mut() {
        let kept = line.trim_end().len();
        line.truncate(kept);
    }
    lines
}

/// Pieces between which a line may be broken.
fn pieces(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut before: Option<char> = None;
    for (at, c) in text.char_indices() {
        let after_space = before == Some(' ') && c != ' ';
        let inside_word = before.is_some_and(is_katakana) && is_katakana(c);
        let beside_wide = before.is_some_and(|b| b != ' ' && (columns(b) == 2 || columns(c) == 2) && !OPENING.contains(b)) && !inside_word;
        if at > start && (after_space || beside_wide) && !NOT_FIRST.contains(c) && c != ' ' {
            found.extend(text.get(start..at));
            start = at;
        }
        before = Some(c);
    }
    found.extend(text.get(start..));
    found
}

/// Foreign words are written in katakana and read as one.
const fn is_katakana(c: char) -> bool {
    matches!(c, '\u{30a1}'..='\u{30ff}')
}

/// A table: a header and rows of the same columns, in sections where the rows belong together. Each column is as wide as its widest cell,
/// within its cap.
#[derive(Debug, Default)]
pub(super) struct Table {
    header: Vec<String>,
    rows: Vec<Row>,
    caps: Vec<usize>,
}

#[derive(Debug)]
enum Row {
    Cells(Vec<String>),
    Section(String),
}

impl Table {
    /// Columns, each with its name and its greatest width.
    pub(super) fn new(columns: &[(&str, usize)]) -> Self {
        let (header, caps) = columns.iter().map(|(name, cap)| ((*name).to_owned(), *cap)).unzip();
        Self { header, rows: Vec::new(), caps }
    }

    /// Adds a row. Missing cells are empty.
    pub(super) fn row<I: IntoIterator<Item = S>, S: Into<String>>(&mut self, cells: I) {
        self.rows.push(Row::Cells(cells.into_iter().map(Into::into).collect()));
    }

    /// Begins a section.
    pub(super) fn section(&mut self, title: impl Into<String>) {
        self.rows.push(Row::Section(title.into()));
    }

    /// Header, rule and rows as lines.
    pub(super) fn lines(&self) -> Vec<String> {
        let cell = |row: &[String], column: usize, cap: usize| row.get(column).map_or_else(String::new, |text| cut(text, cap));
        let widest = |column: usize, cap: usize| {
            let cells = self.rows.iter().filter_map(|row| match row {
                Row::Cells(cells) => Some(cells),
                Row::Section(_) => None,
            });
            std::iter::once(&self.header).chain(cells).map(|row| width(&cell(row, column, cap))).max().unwrap_or(0)
        };
        let widths: Vec<usize> = self.caps.iter().enumerate().map(|(column, cap)| widest(column, *cap)).collect();
        let whole = widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
        let line = |row: &[String]| {
            let cells: Vec<String> = widths.iter().enumerate().map(|(column, room)| pad(&cell(row, column, *room), *room)).collect();
            cells.join(GAP).trim_end().to_owned()
        };
        let mut lines = vec![line(&self.header), "─".repeat(whole)];
        lines.extend(self.rows.iter().map(|row| match row {
            Row::Cells(cells) => line(cells),
            Row::Section(title) => cut(title, whole),
        }));
        lines
    }
}

const GAP: &str = "  ";
/// What may not begin a line (JIS X 4051, the ones that occur here).
const NOT_FIRST: &str = "、。，．）」』】〕・：；？！ー…)]},.:;?!ぁぃぅぇぉっゃゅょァィゥェォッャュョ";
/// What may not end a line.
const OPENING: &str = "（「『【〔([{";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn japanese_is_two_columns_wide_and_marks_are_none() {
        for (text, columns) in [
            ("", 0),
            ("abc", 3),
            ("氏（漢字）", 10),
            ("ｶﾅ", 2),
            ("－", 2),
            ("●", 1),
            ("葛\u{e0100}", 2),
            ("が", 2),
            ("か\u{3099}", 2),
            ("𠮷", 2),
        ] {
            assert_eq!(width(text), columns, "{text}");
        }
    }

    #[test]
    fn a_long_text_is_cut_within_its_room() {
        assert_eq!(cut("東京都千代田区", 14), "東京都千代田区");
        assert_eq!(cut("東京都千代田区", 13), "東京都千代田…");
        assert_eq!(cut("東京都千代田区", 12), "東京都千代…");
        assert_eq!(cut("abc", 1), "…");
        for room in 1..20 {
            assert!(width(&cut("東a京b都c千代田区", room)) <= room, "{room}");
        }
    }

    #[test]
    fn columns_line_up_whatever_is_in_them() {
        let mut table = Table::new(&[("項目", 20), ("", 2), ("class", 8)]);
        table.row(["氏（漢字）", "●", "identity"]);
        table.row(["A", "－", "criminal_detail"]);
        table.row(["ｶﾅ"]);
        let lines = table.lines();
        let at = |line: &str, cell: &str| width(&line[..line.find(cell).unwrap()]);
        assert_eq!(at(&lines[0], "class"), at(&lines[2], "identity"));
        assert_eq!(at(&lines[2], "identity"), at(&lines[3], "crimina…"));
        assert_eq!(at(&lines[2], "●"), at(&lines[3], "－"));
        assert_eq!(width(&lines[1]), width("氏（漢字）") + 2 + 2 + 2 + 8);
        assert_eq!(lines[4], "ｶﾅ");
    }

    #[test]
    fn a_section_does_not_widen_the_columns() {
        let mut table = Table::new(&[("a", 9), ("b", 9)]);
        table.section("犯罪の背景・処遇のことなど");
        table.row(["  x", "y"]);
        assert_eq!(table.lines(), ["a    b", "──────", "犯罪…", "  x  y"]);
    }

    #[test]
    fn lines_are_broken_where_readers_expect_it() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("台帳の番号。木", 10), ["台帳の番", "号。木"]);
        assert_eq!(wrap("記録（pid 12）が", 6), ["記録", "（pid", "12）が"]);
        assert_eq!(wrap("unbreakablelongword x", 5), ["unbreakablelongword", "x"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("次のセンターへ", 10), ["次の", "センターへ"]);
        for room in 14..40 {
            for line in wrap("ゲートウェイはそこで独立したプロセス（pid 1234）として動き、応答します。", room)
            {
                assert!(width(&line) <= room && !line.starts_with(['、', '。', '）']), "{room}: {line}");
            }
        }
    }
}
