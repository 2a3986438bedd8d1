//! The list of disclosures (開示の一覧) as a page of A4 that is printed and given to the person, and as a table for spreadsheet programs.
//!
//! Promises: page and table are functions of the list alone and hold what it holds, in plain Japanese with readings over the kanji. The page needs
//! nothing else, and loads nothing.

use super::html::Page;
use crate::{
    domain::{
        disclosures::{ClassName, ConsentSummary, Disclosure, DisclosureList, ItemName, Unit},
        field::FieldClass,
        ids::Jti,
        time::Timestamp,
    },
    text::{Lang, audit::japan, csv, disclosures as words},
};

/// A list with the ledger entry that recorded its making.
#[derive(Debug, Clone, Copy)]
pub struct Disclosed<'a> {
    /// The list, all of it.
    pub list: &'a DisclosureList,
    /// Index of the entry.
    pub index: u64,
    /// Its time.
    pub made: Timestamp,
}

impl Disclosed<'_> {
    /// The page, in Japanese.
    #[must_use]
    pub fn page(&self) -> String {
        let list = self.list;
        let mut page = Page::new();
        page.raw("<!DOCTYPE html>\n<html lang=\"ja\">\n<head>\n<meta charset=\"utf-8\">\n<title>").plain(words::title(Lang::Ja));
        page.raw("</title>\n<style>\n").raw(CSS).raw("</style>\n</head>\n<body>\n<p class=\"number\">").text("台帳の番号");
        page.raw(" <code>")
            .plain(&self.index.to_string())
            .raw("</code></p>\n<h1>")
            .text(words::title(Lang::Ja))
            .raw("</h1>\n<table class=\"small\">\n");
        page.cell("作った日", &day(self.made));
        page.raw("<tr><th>").text("作った機関").raw("</th><td>").body(&list.made_by).raw("</td></tr>\n");
        page.cell("作った目的", &list.purpose.ja);
        page.raw("</table>\n");
        page.paragraph(words::scope(list.scope, Lang::Ja));
        page.paragraph(words::no_values(Lang::Ja));
        if let Some(name) = list.class.and_then(|class| self.class(class)) {
            page.raw("<p><b>")
                .text("この一覧は、つぎの種類の情報だけのものです。")
                .text(&name.plain_ja)
                .raw("（")
                .plain(&name.ja)
                .raw("）</b></p>\n");
        }
        page.heading("1　だれが、いつ、何を受け取ったか");
        if list.disclosures.is_empty() {
            page.paragraph(words::nothing(Lang::Ja));
        }
        for disclosure in &list.disclosures {
            self.disclosure(&mut page, disclosure);
        }
        page.heading("2　のっていないもの");
        self.left_out(&mut page);
        page.heading("3　あなたができること");
        page.raw("<ul>\n");
        for line in words::rights(Lang::Ja) {
            page.item(line);
        }
        page.raw("</ul>\n</body>\n</html>\n");
        page.done()
    }

    fn disclosure(&self, page: &mut Page, told: &Disclosure) {
        page.raw("<table class=\"told\">\n<tr><th colspan=\"2\">").plain(&japan_minute(told.time)).raw("　").body(&told.recipient);
        if let Some(by) = &told.on_behalf_of {
            page.raw("<br>").body(by).text("の代わりに受け取りました");
        }
        page.raw("</th></tr>\n");
        page.cell("何のために", &told.purpose.ja);
        page.raw("<tr><td class=\"to\">")
            .text("だれの書類から")
            .raw("</td><td>")
            .body(&told.sender)
            .raw("　")
            .text(&told.kind.ja)
            .raw("</td></tr>\n");
        page.raw("<tr><td class=\"to\">").text("受け取ったもの").raw("</td><td>");
        let groups = groups(&told.items);
        if groups.is_empty() {
            page.text("書類が届いたことだけ");
        }
        page.raw("<ul>");
        for (class, items) in groups {
            page.raw("<li>");
            match self.class(class) {
                Some(name) => page.text(&name.plain_ja),
                None => page.plain(class.as_str()),
            };
            let names: Vec<&str> = items.iter().map(|item| item.ja.as_str()).collect();
            page.raw("<span class=\"small\">（").plain(&names.join("、")).raw("）</span></li>");
        }
        page.raw("</ul></td></tr>\n<tr><td class=\"to\">").text("もとになる約束").raw("</td><td class=\"small\">");
        match told.consent.map(|consent| (consent, self.consent(consent))) {
            Some((consent, Some(summary))) => {
                page.text("あなたの同意").raw("（").plain(&day(summary.from)).raw("、").body(&summary.collector).raw("）<br><code>");
                page.plain(&consent.to_string()).raw("</code><br>");
            }
            Some((consent, None)) => drop(page.text("あなたの同意").raw(" <code>").plain(&consent.to_string()).raw("</code><br>")),
            None => {}
        }
        if let Some(basis) = &told.basis {
            page.text("根拠").raw("：").plain(&basis.ja).raw("<br>");
        }
        if let Some(agreement) = &told.agreement {
            page.text("機関のあいだの協定")
                .raw(" <code>")
                .plain(agreement.id.as_str())
                .raw(" / ")
                .plain(&agreement.ver.to_string())
                .raw("</code>");
        }
        page.raw("　").text("台帳の番号").raw(" <code>").plain(&told.index.to_string()).raw("</code></td></tr>\n</table>\n");
    }

    fn left_out(&self, page: &mut Page) {
        let left_out = &self.list.left_out;
        if left_out.classes.is_empty() && !left_out.providers {
            page.paragraph("この機関が知ることができないために、のっていないものは、ありません。");
            return;
        }
        page.paragraph(words::left_out(Lang::Ja));
        page.raw("<ul class=\"small\">\n");
        for class in &left_out.classes {
            if let Some(name) = self.class(*class) {
                page.item(&name.plain_ja);
            }
        }
        if left_out.providers {
            page.item(words::providers_left_out(Lang::Ja));
        }
        page.raw("</ul>\n");
        page.paragraph(words::ask_elsewhere(Lang::Ja));
    }

    /// The table: a line for each row of each disclosure, and one for each disclosure without any.
    #[must_use]
    pub fn table(&self, byte_order_mark: bool) -> String {
        let mut table = if byte_order_mark { csv::BYTE_ORDER_MARK.to_owned() } else { String::new() };
        table.push_str(&csv::line(words::CSV_COLUMNS));
        for told in &self.list.disclosures {
            if told.items.is_empty() {
                table.push_str(&csv::line(self.cells(told, None)));
            }
            for item in &told.items {
                table.push_str(&csv::line(self.cells(told, Some(item))));
            }
        }
        table
    }

    /// What stands below each of the columns.
    fn cells(&self, told: &Disclosure, item: Option<&ItemName>) -> [String; words::CSV_COLUMNS.len()] {
        let class = item.and_then(|item| self.class(item.class));
        let consent = told.consent.and_then(|consent| self.consent(consent));
        let of_item = |text: fn(&ItemName) -> String| item.map(text).unwrap_or_default();
        [
            told.index.to_string(),
            japan(told.time),
            told.recipient.name.ja.clone(),
            told.recipient.party.to_string(),
            told.on_behalf_of.as_ref().map(|unit| format!("{} {}", unit.name.ja, unit.party)).unwrap_or_default(),
            told.sender.name.ja.clone(),
            told.sender.party.to_string(),
            told.kind.ja.clone(),
            told.purpose.ja.clone(),
            told.basis.as_ref().map(|basis| basis.ja.clone()).unwrap_or_default(),
            told.consent.map(|consent| consent.to_string()).unwrap_or_default(),
            consent.map(|consent| consent.collector.name.ja.clone()).unwrap_or_default(),
            consent.map(|consent| day(consent.from)).unwrap_or_default(),
            told.agreement.as_ref().map(|agreement| format!("{}/{}", agreement.id, agreement.ver)).unwrap_or_default(),
            of_item(|item| item.ja.clone()),
            of_item(|item| item.field.to_string()),
            class.map(|class| class.ja.clone()).unwrap_or_default(),
            class.map(|class| class.plain_ja.clone()).unwrap_or_default(),
        ]
    }

    fn class(&self, class: FieldClass) -> Option<&ClassName> {
        self.list.classes.iter().find(|name| name.class == class)
    }

    fn consent(&self, consent: Jti) -> Option<&ConsentSummary> {
        self.list.consents.iter().find(|summary| summary.consent == consent)
    }
}

impl Page {
    fn cell(&mut self, title: &str, text: &str) {
        self.raw("<tr><td class=\"to\">").text(title).raw("</td><td>").text(text).raw("</td></tr>\n");
    }

    fn body(&mut self, unit: &Unit) -> &mut Self {
        let kind = words::body(unit.party.kind(), Lang::Ja);
        self.raw("<b>")
            .plain(&unit.name.ja)
            .raw("</b> <span class=\"small\">")
            .text(kind)
            .raw(" <code>")
            .plain(&unit.party.to_string())
            .raw("</code></span>")
    }
}

/// The rows by their classes, in the order of their first one.
fn groups(items: &[ItemName]) -> Vec<(FieldClass, Vec<&ItemName>)> {
    let mut groups: Vec<(FieldClass, Vec<&ItemName>)> = Vec::new();
    for item in items {
        match groups.iter_mut().find(|(class, _)| *class == item.class) {
            Some((_, group)) => group.push(item),
            None => groups.push((item.class, vec![item])),
        }
    }
    groups
}

/// A day in Japan.
fn day(time: Timestamp) -> String {
    let text = japan(time);
    let mut parts = text.split(' ').next().unwrap_or_default().split('-').map(|part| part.trim_start_matches('0').to_owned());
    let mut next = || parts.next().unwrap_or_default();
    format!("{}年{}月{}日", next(), next(), next())
}

fn japan_minute(time: Timestamp) -> String {
    let text = japan(time);
    let clock = text.split(' ').nth(1).and_then(|clock| clock.get(..5)).unwrap_or_default().to_owned();
    format!("{} {clock}", day(time))
}

const CSS: &str = include_str!("disclosed.css");

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn unit(party: &str, ja: &str) -> Value {
        json!({"party": party, "name": {"ja": ja, "en": "Test"}})
    }

    /// A list in which everything that the page can say is said, with names without kanji.
    fn list(name: &str) -> DisclosureList {
        let coded = |code: &str| json!({"code": code, "ja": "ためし", "en": "test"});
        let consent = "3c9d0a3e-7f3a-4f55-9d2e-0f6b1d8c4e21";
        let item = |field: &str, ja: &str| json!({"field": field, "ja": ja, "en": "name", "class": "identity"});
        let told = json!({
            "index": 7, "time": "2026-11-18T15:06:40.000001Z", "recipient": unit("group_home:1320100017", name),
            "for": unit("municipality:131016-1", "まち"), "sender": unit("municipality:131016-1", "まち"), "kind": coded("placement_request"),
            "purpose": coded("placement_coordination"), "basis": coded("consent_27"), "consent": consent,
            "agreement": {"id": "AG-13-0001", "ver": 1}, "items": [item("family_name", "なまえ"), item("given_name", "=1+1")]
        });
        let mut bare = told.clone();
        bare["items"] = json!([]);
        bare["consent"] = Value::Null;
        let class =
            |class: &str| json!({"class": class, "ja": "しるし", "en": "mark", "plain_ja": "あなたのしるし", "plain_en": "your mark"});
        let list = json!({
            "case": consent, "made_by": unit("municipality:131016-1", "まち"), "purpose": coded("placement_coordination"), "scope": "own",
            "class": "identity", "disclosures": [told, bare], "classes": [class("identity"), class("plan")],
            "consents": [{"consent": consent, "collector": unit("settlement_center:13-1", "せんたあ"), "from": "2026-09-30T15:00:00.000000Z",
                          "until": "2027-09-30T15:00:00.000000Z", "ended": false}],
            "left_out": {"classes": ["plan"], "providers": true}, "cursor": null
        });
        serde_json::from_value(list).unwrap()
    }

    fn made(list: &DisclosureList) -> Disclosed<'_> {
        Disclosed { list, index: 9, made: "2026-11-20T00:00:00Z".parse().unwrap() }
    }

    #[test]
    fn every_word_that_is_the_pages_own_has_its_reading() {
        for list in [list("いえ"), DisclosureList { disclosures: Vec::new(), ..list("いえ") }] {
            let page = made(&list).page();
            let body = page.split_once("<body>").unwrap().1;
            let mut left = String::new();
            let mut rest = body;
            while let Some((before, behind)) = rest.split_once("<ruby>") {
                left.push_str(before);
                rest = behind.split_once("</ruby>").unwrap().1;
            }
            left.push_str(rest);
            let kanji: String = left.chars().filter(|char| ('\u{4e00}'..='\u{9fff}').contains(char) && !"年月日".contains(*char)).collect();
            assert_eq!(kanji, "");
        }
    }

    #[test]
    fn what_others_wrote_stands_on_the_page_as_text_and_in_the_table_as_no_formula() {
        let list = list("<b onclick=\"x\">&いえ");
        let page = made(&list).page();
        assert!(page.contains("&lt;b onclick=&quot;x&quot;&gt;&amp;いえ") && !page.contains("onclick=\"x\""), "{page}");
        let table = made(&list).table(false);
        assert!(!table.starts_with(csv::BYTE_ORDER_MARK) && made(&list).table(true).starts_with(csv::BYTE_ORDER_MARK));
        assert!(table.contains("\"<b onclick=\"\"x\"\">&いえ\"") && table.contains("\"'=1+1\""), "{table}");
        // A line for each row, and one for what was shown without any.
        assert_eq!(table.split("\r\n").filter(|line| !line.is_empty()).count(), 1 + 2 + 1);
    }

    #[test]
    fn the_same_list_gives_the_same_page() {
        let list = list("いえ");
        assert_eq!(made(&list).page(), made(&list).page());
        assert!(made(&list).page().contains("2026年11月19日 00:06"));
    }
}
