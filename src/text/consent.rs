//! What the rules of consents say to the person who writes one down.

/// The sentence of a rule, English and Japanese. A rule without one of its own is named.
#[must_use]
pub fn rule(claim: &str, rule: &str) -> [String; 2] {
    let known = RULES.iter().find(|(of, word, ..)| *of == claim && *word == rule);
    match known {
        Some((_, _, en, ja)) => [(*en).to_owned(), (*ja).to_owned()],
        None => [format!("{claim} breaks the rule {rule}"), format!("{claim} が規則 {rule} に合いません")],
    }
}

/// Claim, rule, English, Japanese.
const RULES: &[(&str, &str, &str, &str)] = &[
    ("exp", "one_year", "a consent lasts a year at most", "同意の期間は一年以内です"),
    ("exp", "expired", "the period is over already", "期間がすでに過ぎています"),
    (
        "exp",
        "oral_days",
        "a spoken consent may not last so long: write it down on paper",
        "口頭の同意の期間が長すぎます。書面に替えてください",
    ),
    ("items", "oral_class", "a spoken consent cannot cover one of the classes", "口頭の同意では扱えない情報区分があります"),
    ("items", "oral_recipient", "a spoken consent reaches municipalities only", "口頭の同意で伝えられる相手は市町村だけです"),
    (
        "items",
        "representative_class",
        "a representative cannot consent to one of the classes alone",
        "代理人だけでは同意できない情報区分があります",
    ),
    ("witness", "oral_needs_witness", "a spoken consent needs a witness", "口頭の同意には立会人が要ります"),
    ("witness", "custody_needs_witness", "a consent given in custody needs a witness", "身体を拘束された場所での同意には立会人が要ります"),
    ("witness", "explained_it", "who explained the form is no witness", "説明した人は立会人になれません"),
    ("witness", "custody_staff", "staff of the facility are no witnesses", "その施設の職員は立会人になれません"),
    ("rep", "kind", "this kind of representative cannot consent", "この種類の代理人は同意できません"),
    ("rep", "authority", "name the document that shows the authority", "権限を示す書類を書いてください"),
    ("expl", "by", "say who explained the form", "説明した職員を書いてください"),
    ("expl", "how", "say how the form was explained", "説明のしかたを書いてください"),
    ("expl", "understood", "say how it was seen that the person understood", "わかったことの確かめ方を書いてください"),
    ("sub", "form", "the pseudonym is not well-formed", "仮名の形が正しくありません"),
];
