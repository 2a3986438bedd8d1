//! The form as one page that needs nothing else: A4, in plain Japanese with readings over the kanji, to be printed and filled by hand.

use super::{
    html::Page,
    offer::{Cell, Column, Form, Line},
};
use crate::{
    domain::{codes::Purpose, time::Timestamp},
    message::{base64url, json, sha256},
};

/// Why a file is no form.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// There is no form in it.
    #[error("no consent form of tsunagi")]
    NoForm,
    /// It is not the page that its own content makes: it was changed, or another version of the program made it.
    #[error("the page is not as it was made: it was changed, or another version of tsunagi made it")]
    Altered,
}

impl PageError {
    /// The same in Japanese.
    #[must_use]
    pub const fn ja(&self) -> &'static str {
        match self {
            Self::NoForm => "つなぎの同意書ではありません",
            Self::Altered => "作られたときのままの同意書ではありません。書き換えられたか、別の版の tsunagi で作られています",
        }
    }
}

impl Form {
    /// The number of the form: the digest of all that is printed. It stands on every sheet, and as the form's version in the record.
    #[must_use]
    pub fn number(&self) -> String {
        let digest = base64url::encode(sha256(self.page("").as_bytes()).0);
        LAYOUT.chars().chain(digest.chars().take(DIGITS)).collect()
    }

    /// The page. The same form gives the same bytes.
    #[must_use]
    pub fn render(&self) -> String {
        self.page(&self.number())
    }

    /// Reads the form back from its page, which must be exactly the page of that form.
    ///
    /// # Errors
    /// When it is none, or was changed.
    pub fn read(page: &[u8]) -> Result<Self, PageError> {
        let text = std::str::from_utf8(page).map_err(|_| PageError::NoForm)?;
        let (_, behind) = text.split_once(DATA).ok_or(PageError::NoForm)?;
        let (data, _) = behind.split_once(DATA_ENDS).ok_or(PageError::NoForm)?;
        let value = json::parse(data.as_bytes()).map_err(|_| PageError::NoForm)?;
        let form: Self = serde_json::from_value(value).map_err(|_| PageError::NoForm)?;
        if form.render() == text { Ok(form) } else { Err(PageError::Altered) }
    }

    fn page(&self, number: &str) -> String {
        let data = serde_json::to_string(self).unwrap_or_default().replace('<', "\\u003c");
        let mut page = Page::new();
        page.raw("<!DOCTYPE html>\n<html lang=\"ja\">\n<head>\n<meta charset=\"utf-8\">\n<title>同意書 ");
        page.plain(number);
        page.raw("</title>\n<style>\n").raw(CSS);
        page.raw("@page { @bottom-left { font-size: 8pt; content: \"同意書 ").plain(number);
        page.raw("\"; } @bottom-right { font-size: 8pt; content: counter(page) \" / \" counter(pages); } }\n</style>\n");
        page.raw(DATA).raw(&data).raw(DATA_ENDS).raw("\n</head>\n<body>\n");
        self.head(&mut page, number);
        self.recipients(&mut page);
        self.classes(&mut page);
        self.rights(&mut page);
        self.explanation(&mut page);
        self.signatures(&mut page);
        page.raw("</body>\n</html>\n");
        page.done()
    }

    fn head(&self, page: &mut Page, number: &str) {
        page.raw("<p class=\"number\">").text("同意書の番号").raw(" <code>").plain(number).raw("</code></p>\n");
        page.raw("<h1>").text("あなたの情報を伝えることについての同意書").raw("</h1>\n<ul>\n");
        for line in OPENING {
            page.item(line);
        }
        page.raw("</ul>\n<div class=\"key\">\n<p><span class=\"sample\">✓</span>").text("伝えてよい");
        page.raw("　<span class=\"sample\">×</span>").text("伝えないでほしい（あとから見ても、そのまま守ります）");
        page.raw("<br><span class=\"sample\"></span>")
            .text("何も書かない：この同意では伝えません。あとから決めてもかまいません")
            .raw("</p>\n");
        page.raw("<p class=\"small\"><span class=\"box each\" style=\"width:5mm;height:5mm\"></span>　");
        page.text("線が二重の四角は、とくに大切な情報です。一つずつ✓を書いたときだけ伝わります。").raw("</p>\n</div>\n");
        page.raw("<table class=\"small\">\n<tr><th>").text("説明する機関").raw("</th><td>").plain(&self.collector.ja);
        page.raw(" <code>").plain(&self.collector.code.to_string()).raw("</code></td></tr>\n<tr><th>").text("もとになる取り決め");
        page.raw("</th><td>").plain(&self.agreement.title).raw("<br><code>").plain(self.agreement.id.as_str());
        page.raw(" / ").plain(&self.agreement.ver.to_string()).raw("</code>（").plain(&day(self.agreement.until));
        page.raw("まで）<br><code>SHA-256 ").plain(&self.agreement.sha256.to_string()).raw("</code></td></tr>\n<tr><th>");
        page.text("利用目的").raw("</th><td>").plain(&self.agreement.purpose_of_use_entry).raw("</td></tr>\n</table>\n");
    }

    fn recipients(&self, page: &mut Page) {
        page.heading("1　だれに、何のために伝えるか");
        page.raw("<table>\n<thead><tr><th></th><th>").text("伝える相手").raw("</th><th>").text("何のために").raw("</th></tr></thead>\n");
        for column in &self.columns {
            page.raw("<tr><td><b>").plain(&column.letter.to_string()).raw("</b></td><td><b>").plain(&column.ja).raw("</b><br>");
            page.raw("<span class=\"small\">").text(&column.kind).raw(" <code>").plain(&column.party.to_string());
            page.raw("</code></span></td><td><ul>");
            for purpose in &column.purposes {
                page.raw("<li>").text(because(purpose.code)).raw("<span class=\"small\">（").text(&purpose.ja).raw("）</span></li>");
            }
            page.raw("</ul></td></tr>\n");
        }
        page.raw("</table>\n");
    }

    fn classes(&self, page: &mut Page) {
        page.heading("2　伝える情報");
        page.paragraph("四角の中に、✓か×を書いてください。四角のないところ（－）には、この同意では伝わりません。");
        for columns in self.columns.chunks(COLUMNS_ABREAST) {
            let first = columns.first().and_then(|first| self.columns.iter().position(|column| column == first)).unwrap_or_default();
            page.raw("<table class=\"boxes\">\n<thead><tr><th></th><th>").text("伝える情報").raw("</th>");
            for column in columns {
                page.raw("<th class=\"to\">").plain(&column.letter.to_string()).raw("<span class=\"label\">").plain(&column.ja);
                page.raw("</span></th>");
            }
            page.raw("</tr></thead>\n<tbody>\n");
            for (special, title) in [(false, "ふだんの情報"), (true, "とくに気をつけて扱う情報（要配慮個人情報を含みます）")]
            {
                page.raw("<tr class=\"group\"><td colspan=\"")
                    .plain(&(columns.len() + 2).to_string())
                    .raw("\">")
                    .text(title)
                    .raw("</td></tr>\n");
                for (line, number) in self.lines.iter().zip(1..).filter(|(line, _)| line.special == special) {
                    line.row(page, number, columns, first);
                }
            }
            page.raw("</tbody>\n</table>\n");
        }
    }

    fn rights(&self, page: &mut Page) {
        page.heading("3　いつまで");
        page.raw("<p><span class=\"line\"></span>").text("年").raw("<span class=\"line\"></span>").text("月");
        page.raw("<span class=\"line\"></span>").text("日から").raw("　<span class=\"line\"></span>").text("年");
        page.raw("<span class=\"line\"></span>").text("月").raw("<span class=\"line\"></span>");
        page.text("日まで（長くても一年。過ぎたら、もう一度聞きます）").raw("</p>\n");
        page.heading("4　やめたいとき、変えたいとき");
        page.raw("<ul>\n");
        for line in WITHDRAWING {
            page.item(line);
        }
        page.raw("</ul>\n<p class=\"small\">").text("言う相手：").plain(&self.collector.ja);
        page.raw("　").text("電話").raw(" <span class=\"line wide\"></span></p>\n");
        if !self.agreement.terms.is_empty() {
            page.heading("5　情報を受け取る機関の約束");
            page.raw("<ul class=\"small\">\n");
            for term in &self.agreement.terms {
                page.raw("<li>").text(term).raw("</li>\n");
            }
            page.raw("</ul>\n");
        }
    }

    fn explanation(&self, page: &mut Page) {
        page.heading("6　説明（機関の人が書きます）");
        page.raw("<table class=\"fill\">\n");
        page.field("説明した人（職員の仮名）", "");
        page.field("説明した日と時間", "");
        page.choices("場所", &["役所・事務所", "自宅・住まい", "病院", "身体を拘束された場所", "そのほか"], true);
        page.choices("説明のしかた", &["ふりがなのある紙", "読み上げ", "絵・図", "手話・筆談", "通訳"], true);
        page.field("わかったことの確かめ方", "（本人が自分の言葉で言い直した、など）");
        page.raw("</table>\n<p class=\"small\">");
        page.text("身体を拘束された場所では、その施設の職員でない人が立ち会います。")
            .text("そこでした同意は、事業所には")
            .plain(&self.custody_days.to_string());
        page.text("日で切れます。外に出たあとで、もう一度聞きます。").raw("</p>\n");
    }

    fn signatures(&self, page: &mut Page) {
        page.raw("<div class=\"block\">\n");
        page.heading("7　本人");
        page.paragraph("説明を聞いて、わかりました。✓を書いた情報を、その相手に伝えることに同意します。");
        page.raw("<table class=\"fill\">\n");
        page.field("名前", "");
        page.field("日付", "　　　　　年　　　月　　　日");
        let methods: Vec<&str> = self.methods.iter().map(|method| method.ja.as_str()).collect();
        page.choices("書き方", &methods, false);
        page.raw("</table>\n<p class=\"small\">").text("口頭の同意は").plain(&self.oral_days.to_string());
        page.text("日だけ、市町村にだけ、限られた情報だけです。立会人が要ります。早めに書面に替えます。")
            .raw("</p>\n</div>\n<div class=\"block\">\n");
        page.heading("8　代理人（本人に代わって同意するときだけ）");
        page.raw("<table class=\"fill\">\n");
        let kinds: Vec<&str> = self.representatives.iter().map(|kind| kind.ja.as_str()).collect();
        page.choices("種類", &kinds, false);
        page.field("権限を示す書類", "（登記事項証明書、代理権目録など）");
        page.field("名前", "");
        page.raw("</table>\n");
        let alone: Vec<&str> =
            self.lines.iter().filter(|line| self.person_alone.contains(&line.class)).map(|line| line.sentence.as_str()).collect();
        page.raw("<p class=\"small\">").text("代理人は、本人が断ったことを取り消せません。");
        if !alone.is_empty() {
            page.text("次の情報には、代理人だけでは同意できません：").text(&alone.join("、")).text("。");
        }
        page.raw("</p>\n</div>\n<div class=\"block\">\n");
        page.heading("9　立会人（口頭のとき、身体を拘束された場所のときは必ず）");
        page.raw("<table class=\"fill\">\n");
        page.field("名前と立場", "（説明した人と、その施設の職員は、なれません）");
        page.raw("</table>\n</div>\n<div class=\"block\">\n");
        page.heading("10　機関の控え");
        page.raw("<table class=\"fill\">\n");
        page.field("本人の仮名・記録の番号", "");
        page.choices("写し", &["本人に渡した", "原本を保管した"], true);
        page.raw("</table>\n</div>\n");
    }
}

impl Line {
    fn row(&self, page: &mut Page, number: usize, columns: &[Column], first: usize) {
        page.raw("<tr><td>").plain(&number.to_string()).raw("</td><td>").text(&self.sentence).raw("</td>");
        for (column, cell) in columns.iter().zip(self.cells.iter().skip(first)) {
            let name = format!("{}{number}", column.letter);
            page.raw("<td class=\"to\">");
            match cell {
                Cell::Never => page.raw("<span class=\"never\">－</span>"),
                Cell::Plain => page.tick("box", &name),
                Cell::Each => page.tick("box each", &name),
            };
            page.raw("</td>");
        }
        page.raw("</tr>\n");
    }
}

impl Page {
    fn tick(&mut self, class: &str, name: &str) -> &mut Self {
        self.raw("<span class=\"")
            .raw(class)
            .raw("\" data-box=\"")
            .plain(name)
            .raw("\"></span><span class=\"label\">")
            .plain(name)
            .raw("</span>")
    }

    fn field(&mut self, title: &str, hint: &str) {
        self.raw("<tr><th>").text(title).raw("</th><td><span class=\"small\">").text(hint).raw("</span></td></tr>\n");
    }

    fn choices(&mut self, title: &str, choices: &[&str], words: bool) {
        self.raw("<tr><th>").text(title).raw("<br><span class=\"small\">").text("○でかこむ").raw("</span></th><td class=\"choices\">");
        for choice in choices {
            self.raw("<span>").text(choice).raw("</span>");
        }
        self.raw(if words { "<span class=\"line\"></span></td></tr>\n" } else { "</td></tr>\n" });
    }
}

/// What a purpose means, in plain words.
const fn because(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::PlacementCoordination => "住むところや使うサービスをさがして、決める手伝いをするため",
        Purpose::ServicePlanning => "サービスの計画を作るため",
        Purpose::ServiceProvision => "サービスを行うため",
        Purpose::BackupConsultation => "支援する人の相談にのるため",
        Purpose::AddonCertification => "事業所が加算を受けるための証明をするため",
        Purpose::BenefitDecision => "サービスの費用を出すかどうかを決めるため",
        Purpose::AuditReview => "正しく扱われているかを調べるため",
        Purpose::Administration => "手続きのため",
    }
}

/// The day of a moment in Japan. An end on midnight is the day before.
fn day(end: Timestamp) -> String {
    const JAPAN_SECS: i64 = 9 * 3600;
    let text = end.plus_micros(-1).plus_secs(JAPAN_SECS).to_string();
    let mut parts = text.split(['-', 'T']);
    let mut next = || parts.next().unwrap_or_default().trim_start_matches('0').to_owned();
    format!("{}年{}月{}日", next(), next(), next())
}

/// What the person reads first.
const OPENING: &[&str] = &[
    "あなたを手伝う機関どうしが、あなたの情報を伝え合うための紙です。",
    "あなたが「よい」と決めたことだけを、決めた相手にだけ伝えます。",
    "断ってもかまいません。断っても、あなたが困ることはありません。",
    "わからないことは、何度でも聞いてください。今日決めなくてもかまいません。",
    "どの機関が、いつ、どの情報を見たかを記録します。その記録のことは、いつでも聞いてください。",
];

/// What the person may do later.
const WITHDRAWING: &[&str] = &[
    "いつでもやめられます。一部だけやめることもできます。理由は要りません。",
    "口で言っても、電話でも、紙に書いてもかまいません。だれかに代わりに言ってもらってもかまいません。",
    "下の機関に言えば、すぐに伝わらなくなります。あなたの情報を受け取った機関に言ってもかまいません。",
    "やめても、あなたが困ることはありません。",
    "もう伝わった情報と、もう出した証明は、なくならないことがあります。消せるかどうかをたずねることができます。",
];

/// Version of the layout, before the digest of what is printed.
const LAYOUT: &str = "doui1.";
/// So much of the digest that the number has the 40 characters of a form's version: 204 bits.
const DIGITS: usize = 34;
const DATA: &str = "<script type=\"application/json\" id=\"tsunagi-form\">";
const DATA_ENDS: &str = "</script>";
const CSS: &str = include_str!("page.css");
/// More recipients than this stand in a table of their own.
const COLUMNS_ABREAST: usize = 5;
