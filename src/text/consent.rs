//! What the rules of consents say to the person who writes one down.

/// The sentence of a rule, English and Japanese. A rule without one of its own is named.
#[must_use]
pub fn rule(claim: &str, rule: &str) -> [String; 2] {
    match sentence(claim, rule) {
        Some([en, ja]) => [en.to_owned(), ja.to_owned()],
        None => [format!("{claim} breaks the rule {rule}"), format!("{claim} が規則 {rule} に合いません")],
    }
}

/// The sentence of a rule, if it has one of its own, English and Japanese.
#[must_use]
pub fn sentence(claim: &str, rule: &str) -> Option<[&'static str; 2]> {
    RULES.iter().find(|(of, word, ..)| *of == claim && *word == rule).map(|(_, _, en, ja)| [*en, *ja])
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
    (
        "rep",
        "restores_what_was_refused",
        "a representative brings nothing back that the person refused or took out",
        "本人がことわったこと・取りやめたことを、代理人が元に戻すことはできません",
    ),
    (
        "sub",
        "in_use",
        "this person has a consent already: name it as superseded, or narrow it",
        "この方の同意はすでにあります。置き換える同意として示すか、範囲をせばめてください",
    ),
    ("sup", "registered", "there is no such consent of this person at this unit", "この機関に、この方のその同意はありません"),
    ("sup", "superseded", "another consent has taken its place already", "すでに別の同意に置き換えられています"),
    (
        "sup",
        "already_ended",
        "what was withdrawn is not replaced: it takes a new consent",
        "撤回された同意は置き換えられません。新しい同意が要ります",
    ),
    (
        "sup",
        "narrowed_since",
        "the person took something out after this was signed: ask again",
        "署名の後に本人が取りやめたものがあります。もう一度確かめてください",
    ),
    ("nbf", "supersedes_at_once", "what replaces a consent begins at once", "同意を置き換えるものは、すぐに始まるものに限ります"),
    ("con", "superseded", "another consent has taken its place", "別の同意に置き換えられています"),
    ("con", "already_ended", "the consent has ended already", "同意はすでに終わっています"),
    (
        "con",
        "narrowed_too_often",
        "narrowed too often: end it and register another",
        "せばめた回数が多すぎます。終わらせて、新しく登録してください",
    ),
];
