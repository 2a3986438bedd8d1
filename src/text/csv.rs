//! Lines of a table that opens in a spreadsheet program (RFC 4180).
//!
//! Promises: every cell is quoted, and none is a formula: one that a spreadsheet program would compute starts with an apostrophe (OWASP, CSV Injection).

/// What makes a Japanese spreadsheet program read UTF-8.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// One line with its end.
pub fn line<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let mut line = String::new();
    for (column, cell) in cells.into_iter().enumerate() {
        if column > 0 {
            line.push(',');
        }
        line.push('"');
        line.push_str(&safe(cell.as_ref()).replace('"', "\"\""));
        line.push('"');
    }
    line.push_str("\r\n");
    line
}

/// A cell that is shown and not computed. The full-width signs are read as formulas by Japanese input.
fn safe(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if formula { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_and_never_a_formula() {
        assert_eq!(line(["a", "b,c", "d\"e", ""]), "\"a\",\"b,c\",\"d\"\"e\",\"\"\r\n");
        for formula in ["=1+1", "+81", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠A"] {
            assert_eq!(line([formula]), format!("\"'{formula}\"\r\n"));
        }
        assert_eq!(line(["1-2=3"]), "\"1-2=3\"\r\n");
    }
}
