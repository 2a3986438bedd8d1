//! What a person reads about the add-ons: their names, why an answer is what it is, what is missing.

use super::Lang;
use crate::domain::addon::{AddOn, Claim, Eligibility, Need, Part, Reason, RevocationReason, Rival, Statement, UnitOf, Verdict};

/// The name of an add-on.
#[must_use]
pub const fn addon(code: AddOn, lang: Lang) -> &'static str {
    match code {
        AddOn::CommunityLifeTransition => {
            lang.of("special add-on for individual support in moving to life in the community", "地域生活移行個別支援特別加算")
        }
        AddOn::SocialLifeSupport => lang.of("special add-on for support of life in society", "社会生活支援特別加算"),
        AddOn::DischargePlanning => lang.of("add-on for planning at discharge", "退院・退所加算"),
    }
}

/// The name of an add-on of other rules.
#[must_use]
pub const fn rival(code: Rival, lang: Lang) -> &'static str {
    match code {
        Rival::PsychiatricTransition => {
            lang.of("special add-on for persons with mental disabilities moving to the community", "精神障害者地域移行特別加算")
        }
    }
}

/// What a certificate says about who coordinated.
#[must_use]
pub const fn statement(code: Statement, lang: Lang) -> &'static str {
    match code {
        Statement::CoordinatedByCenter => {
            lang.of("a community life settlement support centre coordinated", "地域生活定着支援センターが調整した")
        }
        Statement::CoordinatedByProbationOffice => lang.of("a probation office coordinated", "保護観察所が調整した"),
        Statement::CoordinatedByMunicipalityWithCenter => lang.of(
            "the municipality coordinated with a community life settlement support centre",
            "市町村が地域生活定着支援センターと調整した",
        ),
    }
}

/// The class of the event.
#[must_use]
pub const fn eligibility(code: Eligibility, lang: Lang) -> &'static str {
    match code {
        Eligibility::CorrectionalRelease => lang.of("release from a correctional facility", "矯正施設等の退所"),
        Eligibility::RehabFacilityRelease => lang.of("leaving a rehabilitation facility", "更生保護施設等の退所"),
        Eligibility::OutpatientObservation => lang.of("decision under the medical observation act", "医療観察法の通院決定"),
    }
}

/// Why a certificate was revoked.
#[must_use]
pub const fn revocation(code: RevocationReason, lang: Lang) -> &'static str {
    match code {
        RevocationReason::IssuedInError => lang.of("issued in error", "誤った発行"),
        RevocationReason::FactsChanged => lang.of("the facts changed", "事実の変更"),
        RevocationReason::NotEligible => lang.of("the person is not eligible", "要件に該当しない"),
        RevocationReason::Replaced => lang.of("replaced by another certificate", "新しい証明書への差し替え"),
    }
}

/// The answer.
#[must_use]
pub const fn verdict(code: Verdict, lang: Lang) -> &'static str {
    match code {
        Verdict::Eligible => lang.of("the person is eligible", "対象者の要件に当てはまる"),
        Verdict::ToConfirm => lang.of("to be confirmed by the designating authority", "要確認（指定権者）"),
        Verdict::Undecided => lang.of("too little is known", "事実が足りず、決められない"),
        Verdict::NotEligible => lang.of("not eligible", "当てはまらない"),
    }
}

/// What can be said about one day.
#[must_use]
pub const fn claim(code: Claim, lang: Lang) -> &'static str {
    match code {
        Claim::Claimable => lang.of("can be claimed", "算定できる"),
        Claim::OutsideWindow => lang.of("outside the days of the window", "算定できる期間の外"),
        Claim::Excluded => lang.of("an add-on that excludes it is claimed", "一緒に算定できない加算がある"),
        Claim::BeforeNotice => lang.of("the provider's notice does not count yet", "体制の届出の適用前"),
        Claim::NotEligible => lang.of("cannot be claimed", "算定できない"),
    }
}

/// Which part of an add-on.
#[must_use]
pub const fn part(code: Part, lang: Lang) -> &'static str {
    match code {
        Part::Person => lang.of("for the person", "本人"),
        Part::System => lang.of("for the system", "体制"),
    }
}

/// What units are for.
#[must_use]
pub const fn per(code: UnitOf, lang: Lang) -> &'static str {
    match code {
        UnitOf::Day => lang.of("units a day", "単位/日"),
        UnitOf::Time => lang.of("units a time", "単位/回"),
    }
}

/// Why an answer is what it is.
#[must_use]
pub const fn reason(code: Reason, lang: Lang) -> &'static str {
    match code {
        Reason::GroundNotCounted => lang.of("this add-on does not know the event", "この加算の対象になる退所・決定ではない"),
        Reason::StartBeforeGround => lang.of("the use began before the event", "退所・決定より前に利用を始めている"),
        Reason::PastWindow => lang.of("the use began after the years had passed", "退所・決定から期間を過ぎて利用を始めている"),
        Reason::NotCoordinated => lang.of(
            "nobody coordinated: a probation office or a settlement centre must have, or the municipality with the centre",
            "保護観察所・地域生活定着支援センター（市町村がセンターと行うものを含む）との調整がない",
        ),
        Reason::CoordinationAfterStart => {
            lang.of("the use had begun before the coordination did", "調整より前に利用を始めている")
        }
        Reason::ExcludedThroughout => lang.of(
            "an add-on that excludes it is claimed on every day",
            "すべての日に、一緒に算定できない加算を算定している",
        ),
        Reason::NoInterview => lang.of("there was no interview", "面談をしていない"),
        Reason::NoRule => lang.of("no rule is on file for these days", "この期間の規則が登録されていない"),
        Reason::Boundary => lang.of(
            "the use began on a day that is within the years only if the first day is not counted (Civil Code art. 140): ask the designating authority",
            "初日を数えない数え方（民法140条）でだけ期間に入る日に利用を始めている。指定権者に確かめる",
        ),
        Reason::LateStartAsNeeded => lang.of(
            "after a time at home, counted from the start of use, as long as it is needed",
            "居宅で暮らした後の利用。使い始めから数え、必要と認められる期間に限る",
        ),
        Reason::LateStartUnclear => lang.of(
            "whether a time at home after leaving a rehabilitation facility moves the window is to be confirmed: not counted here",
            "更生保護施設を出て居宅で暮らした後の数え方は要確認。ここでは延ばさない",
        ),
        Reason::ByExtension => {
            lang.of("the last part only by the court's extension", "終わりの部分は、裁判所が延長した期間に限る")
        }
        Reason::ExtensionUnusable => lang.of(
            "the extension was not counted: it is not one a court can have granted for this event",
            "延長は数えなかった（この決定に対して裁判所が行える延長ではない）",
        ),
        Reason::ExcludedDays => lang.of("not on the days of an add-on that excludes it", "一緒に算定できない加算の日を除く"),
        Reason::NoticeLater => lang.of("only from the day on which the provider's notice counts", "体制の届出が適用される日から"),
        Reason::CountLimited => lang.of("more interviews than count", "数えられる回数を超えた面談がある"),
        Reason::RatesMissing => {
            lang.of("for some days no rule is on file", "規則が登録されていない日がある")
        }
        Reason::RatesUnverified => lang.of(
            "some figures are UNVERIFIED: compare them with the official notice before a claim",
            "未確認の単位数がある。請求の前に告示で確かめる",
        ),
    }
}

/// What is missing.
#[must_use]
pub const fn need(code: Need, lang: Lang) -> &'static str {
    match code {
        Need::Event => lang.of("the day of the release or decision", "退所・決定の日"),
        Need::Start => lang.of("the day on which the use began", "利用を始めた日"),
        Need::Coordination => lang.of("who coordinated", "調整した機関"),
        Need::CoordinationBegan => lang.of("when the coordination began", "調整を始めた日"),
        Need::LivedAtHome => lang
            .of("whether the person lived at home in between: the window may be longer", "間に居宅で暮らしたか（期間が延びることがある）"),
        Need::Interviews => lang.of("how many interviews were held", "面談の回数"),
        Need::Certificate => lang.of("the certificate of the coordination", "調整の証明書"),
        Need::Notice => lang.of("the accepted notice of the provider's system", "体制の届出の受理"),
        Need::QualifiedStaff => lang.of(
            "a certified social worker, psychiatric social worker or public psychologist",
            "社会福祉士・精神保健福祉士・公認心理師の配置",
        ),
        Need::Guidance => lang.of("guidance by the qualified staff", "有資格者による指導体制"),
        Need::Training => lang.of("training at least once a year", "年1回以上の研修"),
        Need::Cooperation => lang.of(
            "cooperation with probation office, rehabilitation facility, designated hospital or mental-health centre",
            "保護観察所・更生保護施設・指定医療機関・精神保健福祉センター等との協力体制",
        ),
        Need::SupportPlan => lang.of("the support plan with the adjustment of the surroundings", "環境調整を含む支援計画"),
        Need::CoordinationMeeting => lang.of("the record of a coordination meeting", "調整会議の記録"),
        Need::FacilityInformation => lang.of("what the staff of the facility told", "施設の職員から受けた情報"),
        Need::ServicePlan => lang.of("the service plan", "サービス等利用計画"),
    }
}

/// The sentence of a rule by which a gateway refuses a certificate, English and Japanese.
#[must_use]
pub fn sentence(field: &str, rule: &str) -> Option<[&'static str; 2]> {
    RULES.iter().find(|(of, word, ..)| *of == field && *word == rule).map(|(_, _, en, ja)| [*en, *ja])
}

/// Field, rule, English, Japanese.
const RULES: &[(&str, &str, &str, &str)] = &[
    ("certificate", "jws", "it is no certificate", "証明書ではありません"),
    (
        "certificate",
        "person",
        "it is about another person than the message, or its salt is another",
        "メッセージの人と証明書の人（照合用の値を含む）が違います",
    ),
    ("certificate", "issuer", "its issuer neither sends it nor sent it to the sender", "発行した機関から送られたものではありません"),
    ("certificate", "signature", "it is not signed with the key that it names", "名指しした鍵の署名がありません"),
    ("certificate", "too_old", "it was signed more than a day ago: issue it anew", "署名から一日を過ぎています。作り直してください"),
    ("certificate", "not_received", "the sender never received it in this case", "この事案で受け取った証明書ではありません"),
    ("certificate", "revoked", "it was revoked: issue another", "取り消されています。新しい証明書を作ってください"),
    (
        "countersignature",
        "gateway",
        "it is no countersignature of this gateway on this certificate",
        "この証明書についての、このゲートウェイの連署ではありません",
    ),
    ("statement", "issuer", "a body of this kind may not say that", "この種類の機関はそう証明できません"),
    (
        "statement",
        "coordination_in_the_case",
        "the case does not show that this body coordinated before the provider took the person on",
        "事業所が受け入れる前にこの機関が調整したことが、事案の記録にありません",
    ),
    (
        "provider",
        "serves_the_person",
        "no provider of this number has taken the person on in this case",
        "この事業所番号の事業所は、この事案で受入れを決めていません",
    ),
    ("provider", "recipient", "it is for another provider than the recipient", "宛先と別の事業所についての証明書です"),
    (
        "pol",
        "in_force",
        "it was judged by other rules than those in force: issue it anew",
        "いま有効な方針によるものではありません。作り直してください",
    ),
    (
        "addons",
        "addon_rules",
        "no rule lets this add-on be claimed with this provider's service from that day on",
        "この事業所のサービスで、その日から算定できる加算ではありません",
    ),
    ("eligibility", "addon_rules", "the rules do not know this ground for the add-on", "この加算の要件にない理由です"),
    ("window", "addon_rules", "the window is longer than the rules allow", "期間が要件の年数を超えています"),
    ("window", "within_three_years", "the window is longer than three years", "期間が三年を超えています"),
    ("window", "window_in_order", "the window ends before it begins", "期間の終わりが初めより前です"),
    ("revocation", "revocation_token", "row and signed revocation say different things", "項目と署名つきの取消の内容が違います"),
    ("revocation", "not_issued", "this party issued no such certificate in this case", "この機関がこの事案で発行した証明書ではありません"),
    (
        "revocation",
        "recipient",
        "the recipient did not get that certificate from this party",
        "宛先は、この機関からその証明書を受け取っていません",
    ),
    ("revocation_token", "jws", "it is no revocation", "取消ではありません"),
    ("revocation_token", "issuer", "only the issuer revokes a certificate", "取り消せるのは発行した機関だけです"),
    ("revocation_token", "signature", "it is not signed with the key that it names", "名指しした鍵の署名がありません"),
    ("revocation_token", "too_old", "it was signed more than a day ago: revoke anew", "署名から一日を過ぎています。作り直してください"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_words_of_its_own_in_two_languages() {
        fn distinct<C: Copy>(all: &[C], words: impl Fn(C, Lang) -> &'static str) {
            let told: Vec<&str> = all.iter().flat_map(|code| [words(*code, Lang::En), words(*code, Lang::Ja)]).collect();
            assert!(told.iter().enumerate().all(|(at, one)| !told[..at].contains(one)), "{told:?}");
        }
        distinct(AddOn::ALL, addon);
        distinct(Rival::ALL, rival);
        distinct(Statement::ALL, statement);
        distinct(Eligibility::ALL, eligibility);
        distinct(RevocationReason::ALL, revocation);
        distinct(Verdict::ALL, verdict);
        distinct(Claim::ALL, claim);
        distinct(Part::ALL, part);
        distinct(UnitOf::ALL, per);
        distinct(Reason::ALL, reason);
        distinct(Need::ALL, need);
    }
}
