//! Pages that are printed: text goes in escaped, with readings over the kanji where a person reads who may need them.

use super::ruby;

/// HTML in the making.
pub(super) struct Page(String);

impl Page {
    pub(super) fn new() -> Self {
        Self(String::with_capacity(64 * 1024))
    }

    pub(super) fn done(self) -> String {
        self.0
    }

    pub(super) fn raw(&mut self, html: &str) -> &mut Self {
        self.0.push_str(html);
        self
    }

    /// Text without readings: names, numbers, what others wrote.
    pub(super) fn plain(&mut self, text: &str) -> &mut Self {
        for char in text.chars() {
            match char {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                _ => self.0.push(char),
            }
        }
        self
    }

    /// Text with readings.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for piece in ruby::pieces(text) {
            match piece {
                ruby::Piece::Plain(text) => self.plain(text),
                ruby::Piece::Read(kanji, reading) => self.raw("<ruby>").plain(kanji).raw("<rt>").plain(reading).raw("</rt></ruby>"),
            };
        }
        self
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.raw("<h2>").text(text).raw("</h2>\n");
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.raw("<p>").text(text).raw("</p>\n");
    }

    pub(super) fn item(&mut self, text: &str) {
        self.raw("<li>").text(text).raw("</li>\n");
    }
}
