//! What the rules about parties and keys say, in both languages.

/// What a rule about a claim says; nothing where no words are written down for it.
#[must_use]
pub fn sentence(claim: &str, rule: &str) -> Option<[&'static str; 2]> {
    RULES.iter().find(|(of, word, ..)| *of == claim && *word == rule).map(|(_, _, en, ja)| [*en, *ja])
}

/// Claim, rule, English, Japanese.
const RULES: &[(&str, &str, &str, &str)] = &[
    (
        "party",
        "already_registered",
        "it is registered already: `tsunagi party update` changes it",
        "すでに登録されています。変更は `tsunagi party update` です",
    ),
    ("party", "not_registered", "nobody is registered under this name", "この名前の機関は登録されていません"),
    (
        "party",
        "last_operator",
        "it is the last operator who can act: register another one first",
        "ほかに動ける運用者がいません。先に別の運用者を登録してください",
    ),
    (
        "key",
        "already_registered",
        "a party has this key already: each needs one of its own",
        "この鍵はすでに登録されています。機関ごとに別の鍵が要ります",
    ),
    ("jwk", "already_registered", "this key is registered already", "この鍵はすでに登録されています"),
    ("jwk", "not_registered", "this key is not registered for this party", "この機関の鍵として登録されていません"),
    ("jwk", "not_active", "this key is out of use already", "この鍵はすでに使用を終えています"),
    (
        "jwk",
        "last_signature_key",
        "it is the last key with which the party can sign: `tsunagi key renew --use sig` first",
        "署名に使える最後の鍵です。先に `tsunagi key renew --use sig` を実行してください",
    ),
    ("compromised_at", "future", "the time lies ahead", "先の時刻です"),
];
