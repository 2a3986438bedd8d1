//! What a person reads in the list of disclosures of its case: plain sentences, the same on the terminal, in the table and on paper.

use super::Lang;
use crate::domain::{disclosures::Scope, party::PartyKind};

/// Names of the columns of the table, Japanese first: it is opened in a Japanese spreadsheet program.
pub const CSV_COLUMNS: [&str; 18] = [
    "台帳の番号 (index)",
    "日時・日本時間 (time, Japan)",
    "受け取った機関 (recipient)",
    "機関の符号 (recipient code)",
    "委任元 (for)",
    "書いた機関 (sender)",
    "機関の符号 (sender code)",
    "文書の種類 (kind)",
    "利用目的 (purpose)",
    "提供根拠 (basis)",
    "同意 (consent)",
    "同意を取得した機関 (collector)",
    "同意の始まり (consent from)",
    "協定 (agreement)",
    "項目 (item)",
    "項目の符号 (item code)",
    "情報区分 (class)",
    "やさしい説明 (in plain words)",
];

/// The heading.
#[must_use]
pub const fn title(lang: Lang) -> &'static str {
    lang.of("Who received your information", "あなたの情報を受け取ったところの一覧")
}

/// How far the list goes.
#[must_use]
pub const fn scope(scope: Scope, lang: Lang) -> &'static str {
    match scope {
        Scope::Case => lang.of(
            "It tells of everything in this case that this body may know of.",
            "この事案について、この機関が知ることのできる、すべてのやりとりの一覧です。",
        ),
        Scope::Own => lang.of(
            "This body takes no part in the case any more: it tells only of what this body sent and received.",
            "この機関は、この事案の担当を終えています。この機関が送ったものと受け取ったものだけの一覧です。",
        ),
    }
}

/// That nothing was disclosed.
#[must_use]
pub const fn nothing(lang: Lang) -> &'static str {
    lang.of("Nobody has received anything that this list tells of.", "この一覧にのせるものを受け取ったところは、ありません。")
}

/// What is left out, before the classes.
#[must_use]
pub const fn left_out(lang: Lang) -> &'static str {
    lang.of(
        "Not in this list, even if others told it to others, because this body may not know it for this purpose:",
        "この一覧には、つぎの種類の情報は、ほかの機関のあいだで伝えられていたとしても、のっていません。この機関が、この目的では知ることができないためです。",
    )
}

/// That providers are left out.
#[must_use]
pub const fn providers_left_out(lang: Lang) -> &'static str {
    lang.of("messages of others to and from providers", "ほかの機関と事業所とのあいだのやりとり")
}

/// Where to ask for the rest.
#[must_use]
pub const fn ask_elsewhere(lang: Lang) -> &'static str {
    lang.of(
        "For these, ask the municipality in charge, or another body that works with you.",
        "これらについては、担当の市町村や、かかわっているほかの機関に聞いてください。",
    )
}

/// What the person may do now.
#[must_use]
pub const fn rights(lang: Lang) -> [&'static str; 3] {
    match lang {
        Lang::En => [
            "If something is wrong, say so: it is corrected, and those who received it are told.",
            "You may take back your consent at any time, as a whole or in part. You need not say why, and it is no disadvantage to you.",
            "If you do not know a body in this list, or something worries you, ask the body that gave you this list.",
        ],
        Lang::Ja => [
            "まちがいがあれば、言ってください。正しくして、受け取ったところにも知らせます。",
            "同意は、いつでも、全部でも一部でも、やめることができます。理由はいりません。やめても、あなたが困ることはありません。",
            "知らない機関があるときや、気になることがあるときは、この一覧をわたした機関に聞いてください。",
        ],
    }
}

/// What the list does not hold.
#[must_use]
pub const fn no_values(lang: Lang) -> &'static str {
    lang.of(
        "It names what was shown, not what it said. What was sent and nobody opened yet is not in it.",
        "見せた項目の名前だけを書いています。中身は書いていません。送ったけれども、まだだれも開いていないものは、のっていません。",
    )
}

/// What a kind of body is, in plain words.
#[must_use]
pub const fn body(kind: PartyKind, lang: Lang) -> &'static str {
    match kind {
        PartyKind::SettlementCenter => lang.of("settlement support centre", "地域生活定着支援センター"),
        PartyKind::ProbationOffice => lang.of("probation office", "保護観察所"),
        PartyKind::BarAssociation => lang.of("bar association", "弁護士会"),
        PartyKind::Municipality => lang.of("municipality", "市町村"),
        PartyKind::CoreCenter => lang.of("core consultation centre", "基幹相談支援センター"),
        PartyKind::Prefecture => lang.of("prefecture", "都道府県"),
        PartyKind::ConsultationOffice => lang.of("consultation office", "計画相談支援事業所"),
        PartyKind::GroupHome => lang.of("group home", "グループホーム"),
        PartyKind::SupportFacility => lang.of("support facility", "障害者支援施設"),
        PartyKind::LodgingTraining => lang.of("lodging-type training", "宿泊型自立訓練"),
        PartyKind::DayService => lang.of("day service", "日中系事業所"),
        PartyKind::RehabFacility => lang.of("rehabilitation facility", "更生保護施設"),
        PartyKind::Auditor => lang.of("auditor", "監査人"),
        PartyKind::Operator => lang.of("operator", "運営者"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_has_two_languages() {
        let fixed = [title, nothing, left_out, providers_left_out, ask_elsewhere, no_values];
        let texts = fixed.map(|text| [text(Lang::En), text(Lang::Ja)]).into_iter();
        let scopes = Scope::ALL.iter().map(|&of| [scope(of, Lang::En), scope(of, Lang::Ja)]);
        let rights = rights(Lang::En).into_iter().zip(rights(Lang::Ja)).map(|(en, ja)| [en, ja]);
        for [en, ja] in texts.chain(scopes).chain(rights) {
            assert!(en.is_ascii() && ja.chars().any(|c| ('ぁ'..='ん').contains(&c)), "{en} {ja}");
        }
        for &kind in PartyKind::ALL {
            assert!(body(kind, Lang::En).is_ascii() && !body(kind, Lang::Ja).is_ascii(), "{kind}");
        }
    }

    #[test]
    fn every_column_is_named_in_two_languages() {
        for name in CSV_COLUMNS {
            let (ja, en) = name.split_once(" (").unwrap();
            assert!(!ja.is_ascii() && en.is_ascii() && en.ends_with(')'), "{name}");
        }
    }
}
