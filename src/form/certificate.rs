//! The certificate of a coordination (調整証明書) on one sheet of A4, with a code that ties the paper to the signed file inside the page.
//!
//! Promises: the page is a function of the file, the names and nothing else, and is made of a certificate that verified. Reading it back gives
//! the file; whether the page is the one that the file makes is told by [`Sheet::is`].

use serde::{Deserialize, Serialize};

use super::{html::Page, labels::Labels, offer::FormError};
use crate::{
    domain::{
        addon::{AddOn, Days},
        day::Day,
    },
    message::{
        certificate::{CertificateFile, Person, ProvenCertificate},
        json,
    },
};

/// What goes onto the sheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// The certificate.
    pub file: CertificateFile,
    /// Japanese name of the issuer, as whoever prints it writes it; not part of what is certified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The same of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// Why there is no sheet.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// There is no certificate in the page.
    #[error("no certificate page of tsunagi")]
    NoSheet,
    /// The certificate was revoked as a whole.
    #[error("the certificate was revoked: it is not printed")]
    Revoked,
    /// A code has no Japanese name.
    #[error(transparent)]
    Label(#[from] FormError),
}

impl SheetError {
    /// The same in Japanese.
    #[must_use]
    pub fn ja(&self) -> String {
        match self {
            Self::NoSheet => "つなぎの証明書のページではありません".to_owned(),
            Self::Revoked => "取り消された証明書は印刷しません".to_owned(),
            Self::Label(error) => error.ja(),
        }
    }
}

impl Sheet {
    /// Reads the sheet back from its page. It says nothing yet about the rest of the page.
    ///
    /// # Errors
    /// When there is none in it.
    pub fn read(page: &[u8]) -> Result<Self, SheetError> {
        let text = std::str::from_utf8(page).map_err(|_| SheetError::NoSheet)?;
        let (_, behind) = text.split_once(DATA).ok_or(SheetError::NoSheet)?;
        let (data, _) = behind.split_once(DATA_ENDS).ok_or(SheetError::NoSheet)?;
        let value = json::parse(data.as_bytes()).map_err(|_| SheetError::NoSheet)?;
        serde_json::from_value(value).map_err(|_| SheetError::NoSheet)
    }

    /// Whether a page is exactly the one that this sheet makes.
    #[must_use]
    pub fn is(&self, page: &[u8], proven: &ProvenCertificate, labels: &Labels) -> bool {
        self.render(proven, labels).is_ok_and(|made| made.as_bytes() == page)
    }

    /// The page. The same sheet gives the same bytes.
    ///
    /// # Errors
    /// When the certificate was revoked as a whole.
    pub fn render(&self, proven: &ProvenCertificate, labels: &Labels) -> Result<String, SheetError> {
        let holds = proven.holds().ok_or(SheetError::Revoked)?;
        let data = serde_json::to_string(self).unwrap_or_default().replace('<', "\\u003c");
        let (certificate, code) = (proven.certificate(), proven.code());
        let mut page = Page::new();
        page.raw("<!DOCTYPE html>\n<html lang=\"ja\">\n<head>\n<meta charset=\"utf-8\">\n<title>調整証明書 ");
        page.plain(&certificate.no.to_string()).raw("</title>\n<style>\n").raw(CSS).raw("</style>\n");
        page.raw(DATA).raw(&data).raw(DATA_ENDS).raw("\n</head>\n<body>\n<p class=\"number\">証明番号 <code>");
        page.plain(&certificate.no.to_string()).raw("</code></p>\n<h1>調整証明書</h1>\n");
        page.raw("<p>次の方の障害福祉サービスの利用について、下のとおり調整したことを証明します。</p>\n<table>\n");
        person(&mut page, proven.person());
        let addons = certificate.addons.iter().map(|addon| labels.of("addOn", addon.as_str())).collect::<Result<Vec<_>, _>>()?;
        page.row("対象の加算", &addons.join("、"));
        page.row("調整の事実", labels.of("certStatement", certificate.statement.as_str())?);
        page.row("対象者の要件の別", labels.of("certEligibility", certificate.eligibility.as_str())?);
        page.row("算定できる期間", &span(holds));
        page.unit("対象の事業所番号", &certificate.provider, self.provider.as_deref());
        page.unit("証明した機関", &certificate.issued.iss.to_string(), self.issuer.as_deref());
        page.row("証明した日", &written(Day::in_japan(certificate.issued.iat)));
        page.raw("</table>\n<div class=\"code\">確認番号<code>").plain(&code).raw("</code></div>\n<ul class=\"small\">\n");
        for note in NOTES {
            page.note(note);
        }
        if certificate.addons.contains(&AddOn::CommunityLifeTransition) {
            page.note(
                "地域生活移行個別支援特別加算は、精神障害者地域移行特別加算と同じ日に算定できません（共同生活援助・宿泊型自立訓練）。",
            );
        }
        if proven.revocation().is_some() {
            page.note("この証明書は一部が取り消されています。算定できる期間は、取消の後のものです。");
        }
        let log = &proven.countersignature().log;
        page.raw("<li>連署したゲートウェイ <code>").plain(proven.countersignature().iss.as_str()).raw("</code>、台帳 <code>");
        page.plain(&log.origin).raw(" #").plain(&log.idx.to_string()).raw("</code>、証明書のID <code>");
        page.plain(&certificate.issued.jti.to_string()).raw("</code></li>\n</ul>\n</body>\n</html>\n");
        Ok(page.done())
    }
}

impl Page {
    fn row(&mut self, title: &str, text: &str) {
        self.raw("<tr><th>").plain(title).raw("</th><td>").plain(text).raw("</td></tr>\n");
    }

    fn unit(&mut self, title: &str, code: &str, name: Option<&str>) {
        self.raw("<tr><th>").plain(title).raw("</th><td>").plain(name.unwrap_or_default());
        self.raw(if name.is_some() { "<br><code>" } else { "<code>" }).plain(code).raw("</code></td></tr>\n");
    }

    fn note(&mut self, text: &str) {
        self.raw("<li>").plain(text).raw("</li>\n");
    }
}

/// Whom it is about; lines to be filled by hand where only the proof was kept.
fn person(page: &mut Page, person: Option<&Person>) {
    let name = person.map(|person| format!("{}　{}", person.family_name, person.given_name)).unwrap_or_default();
    page.raw("<tr><th>氏名</th><td class=\"name\">").plain(&name).raw("</td></tr>\n");
    page.row("生年月日", &person.map(|person| written(person.birth_date)).unwrap_or_default());
    page.row("受給者証番号", person.and_then(|person| person.recipient_cert_number.as_deref()).unwrap_or_default());
}

fn span(days: Days) -> String {
    format!("{}から　{}まで", written(days.from), written(days.until))
}

fn written(day: Day) -> String {
    let text = day.to_string();
    let mut parts = text.split('-').map(|part| part.trim_start_matches('0').to_owned());
    let mut next = || parts.next().unwrap_or_default();
    format!("{}年{}月{}日", next(), next(), next())
}

const NOTES: &[&str] = &[
    "加算の算定と、その確認のためだけに使ってください。これより詳しい事情は、この証明書では示しません。",
    "確認番号は、署名された証明書のSHA-256の先頭80ビットです。この紙のもとになったファイルを tsunagi certificate verify で検査し、同じ番号が出ることを確かめてください。紙だけでは証明になりません。",
    "発行の後に取り消されることがあります。請求の前に、取消の有無を発行機関に確かめてください。",
    "日ごとの算定の可否、体制の届出、支援計画などの要件は、事業所が別に満たす必要があります。",
];
const DATA: &str = "<script type=\"application/json\" id=\"tsunagi-certificate\">";
const DATA_ENDS: &str = "</script>";
const CSS: &str = include_str!("certificate.css");
