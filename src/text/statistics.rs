//! What a person reads of yearly numbers.

use super::Lang;
use crate::domain::statistics::{Division, RowName, Subject};

/// Names of the columns of the table.
pub const CSV_COLUMNS: [&str; 6] =
    ["市町村 (municipality)", "年度 (fiscal year)", "数えたもの (counted)", "内訳 (by)", "区分 (row)", "件数 (count)"];

/// What stands in the place of a number that is not given.
#[must_use]
pub const fn hidden(lang: Lang) -> &'static str {
    lang.of("not given", "非公表")
}

/// The row of a total.
#[must_use]
pub const fn total(lang: Lang) -> &'static str {
    lang.of("total", "合計")
}

/// The row of a median.
#[must_use]
pub const fn median(lang: Lang) -> &'static str {
    lang.of("median of the days since the referral", "依頼からの日数（中央値）")
}

/// What was counted.
#[must_use]
pub const fn subject(subject: Subject, lang: Lang) -> &'static str {
    match subject {
        Subject::Received => lang.of("persons referred, one for each case", "依頼を受けた対象者（事案ごと）"),
        Subject::Consulted => lang.of("consultations of providers about persons whom they serve", "利用中の人についての事業所からの相談"),
        Subject::Decided => lang.of("decisions on referrals", "受理・不受理・移送の決定"),
        Subject::Started => lang.of("starts of use", "サービスの利用開始"),
        Subject::Closed => lang.of("cases closed", "終結した事案"),
    }
}

/// By what it is divided.
#[must_use]
pub const fn division(division: Division, lang: Lang) -> &'static str {
    match division {
        Division::ReferredBy => lang.of("by who referred", "依頼元"),
        Division::Category => lang.of("by category", "対象者区分"),
        Division::ConsultedBy => lang.of("by who asked", "相談元"),
        Division::Outcome => lang.of("by the decision", "決定"),
        Division::Provider => lang.of("by the kind of provider", "事業所の種類"),
        Division::TakenOn => lang.of("by whether it was taken on", "受理したかどうか"),
    }
}

/// A row of a table.
#[must_use]
pub const fn row(row: RowName, lang: Lang) -> &'static str {
    match row {
        RowName::SettlementCenter => lang.of("settlement support centre", "地域生活定着支援センター"),
        RowName::ProbationOffice => lang.of("probation office", "保護観察所"),
        RowName::BarAssociation => lang.of("bar association", "弁護士会"),
        RowName::Municipality => lang.of("municipality", "市町村"),
        RowName::CoreCenter => lang.of("core consultation centre", "基幹相談支援センター"),
        RowName::ProbationOfficeDirect => lang.of("probation office, direct request", "保護観察所（直接依頼）"),
        RowName::BarAssociationDirect => lang.of("bar association, direct request", "弁護士会（直接依頼）"),
        RowName::Exit => lang.of("leaving a correctional facility", "矯正施設退所者等"),
        RowName::Entry => lang.of("suspect or defendant", "被疑者・被告人等"),
        RowName::MunicipalRecognised => lang.of("recognised by the municipality", "市町村等が必要と認める者"),
        RowName::NotKnown => lang.of("not known, or not to be opened", "不明・開けないもの"),
        RowName::ConsultationOffice => lang.of("consultation office", "相談支援事業所"),
        RowName::Accepted => lang.of("taken on", "受理"),
        RowName::Declined => lang.of("declined", "不受理"),
        RowName::Redirected => lang.of("redirected", "移送"),
        RowName::GroupHome => lang.of("group home", "共同生活援助（グループホーム）"),
        RowName::SupportFacility => lang.of("support facility", "障害者支援施設"),
        RowName::LodgingTraining => lang.of("lodging-type training", "宿泊型自立訓練"),
        RowName::DayService => lang.of("day service", "日中系サービス事業所"),
        RowName::TakenOn => lang.of("had been taken on", "受理していたもの"),
        RowName::NotTakenOn => lang.of("had not been taken on", "受理していなかったもの"),
    }
}

/// What was suppressed and why, and when it was counted.
#[must_use]
pub fn note(min_cell: u64, lang: Lang) -> String {
    let most = min_cell.saturating_sub(1);
    match lang {
        Lang::En => format!(
            "Numbers from 1 to {most} are not given, by category not even 0, nor what they could be computed from. \
             The numbers of a year are counted when it is first asked for and stay as they are. \
             A category is opened to be counted only where nothing was taken back since: consent, agreement or key."
        ),
        Lang::Ja => format!(
            "1 から {most} までの数（対象者区分では 0 も）と、それを計算できる数は、公表しません。\
             年度の件数は、はじめて照会されたときに数え、その後は変わりません。\
             対象者区分は、同意・協定・鍵のいずれも取り消されていないものだけを、数えるために開いています。"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_two_languages() {
        let rows = RowName::ALL.iter().map(|&of| [row(of, Lang::En), row(of, Lang::Ja)]);
        let subjects = Subject::ALL.iter().map(|&of| [subject(of, Lang::En), subject(of, Lang::Ja)]);
        let divisions = Division::ALL.iter().map(|&of| [division(of, Lang::En), division(of, Lang::Ja)]);
        for [en, ja] in rows.chain(subjects).chain(divisions) {
            assert!(en.is_ascii() && !ja.is_ascii(), "{en} {ja}");
        }
        assert!(note(10, Lang::En).contains("1 to 9") && note(10, Lang::Ja).contains("9 まで"));
    }
}
