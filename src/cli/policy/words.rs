//! Situations in words: what a box of keys is called.

use crate::{
    domain::{codes::BasisGroup, field::FieldClass},
    policy::{CodeList, PolicySet, Situations},
    text::Lang,
};

/// The codes of a list, as they stand on the wire.
macro_rules! codes {
    ($list:expr) => {
        $list.iter().map(|code| code.as_str()).collect::<Vec<&'static str>>()
    };
}

/// The lines that tell a box of keys: only the members that matter, with the codes' names.
pub(super) fn lines(set: &PolicySet, situations: &Situations, lang: Lang) -> Vec<String> {
    let all = Situations::all();
    let list = |list, codes: Vec<&'static str>, all: usize| tell(codes, all, lang, |code| set.label(list, code, lang).to_owned());
    let named = match situations.named.as_slice() {
        [true] => Some(lang.of("yes", "あり").to_owned()),
        [false] => Some(lang.of("no", "なし").to_owned()),
        _ => None,
    };
    let members = [
        ("reader", "受け手", list(CodeList::OrgKind, codes!(situations.readers), all.readers.len())),
        ("purpose", "利用目的", list(CodeList::Purpose, codes!(situations.purposes), all.purposes.len())),
        ("relation", "事案との関係", list(CodeList::Relation, codes!(situations.relations), all.relations.len())),
        ("class", "情報区分", tell(codes!(situations.classes), all.classes.len(), lang, |code| class(set, code, lang))),
        ("sender", "差出人", list(CodeList::OrgKind, codes!(situations.senders), all.senders.len())),
        ("message", "メッセージ", list(CodeList::MessageKind, codes!(situations.kinds), all.kinds.len())),
        ("legal basis", "提供根拠", tell(codes!(situations.bases), all.bases.len(), lang, |code| basis(code, lang).to_owned())),
        ("agreement", "協定", list(CodeList::AgreementState, codes!(situations.agreements), all.agreements.len())),
        ("consent", "同意", list(CodeList::ConsentState, codes!(situations.consents), all.consents.len())),
        ("named in the consent", "同意での名指し", named),
    ];
    members.into_iter().filter_map(|(en, ja, text)| text.map(|text| format!("{}: {text}", lang.of(en, ja)))).collect()
}

/// The names of codes; nothing where every code is meant.
fn tell(codes: Vec<&'static str>, all: usize, lang: Lang, name: impl Fn(&str) -> String) -> Option<String> {
    if codes.len() == all {
        return None;
    }
    let named: Vec<String> = codes.into_iter().map(name).collect();
    Some(named.join(lang.of(", ", "、")))
}

/// What a class is called.
pub(super) fn class(set: &PolicySet, code: &str, lang: Lang) -> String {
    let text = code.parse::<FieldClass>().ok().and_then(|class| set.class_text(class));
    text.map_or_else(|| code.to_owned(), |text| lang.of(&text.en, &text.ja).to_owned())
}

fn basis(code: &str, lang: Lang) -> &str {
    match code.parse::<BasisGroup>() {
        Ok(BasisGroup::Consent) => lang.of("consent", "同意を求める根拠"),
        Ok(BasisGroup::Statute) => lang.of("statute", "法令"),
        Ok(BasisGroup::VitalInterest) => lang.of("protection of life and body", "生命・身体の保護"),
        Err(_) => code,
    }
}
