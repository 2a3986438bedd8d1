//! What is wrong with a policy set and what to do about it, in both languages.

use super::Lang;
use crate::domain::codes::closed_list;

closed_list! {
    /// What can be wrong with the files of a policy set.
    PolicyFault {
        Unreadable = "unreadable",
        Missing = "missing",
        Unexpected = "unexpected",
        Syntax = "syntax",
        List = "list",
        Schema = "schema",
        DuplicateId = "duplicate_id",
        NoId = "no_id",
        NoAnnotation = "no_annotation",
        Effect = "effect",
        Action = "action",
        Form = "form",
        SameTitle = "same_title",
        EmptyLayer = "empty_layer",
        Unguarded = "unguarded",
        Addons = "addons",
        Template = "template",
        Invalid = "invalid",
    }
}

/// What a fault means.
#[must_use]
pub const fn fault(fault: PolicyFault, lang: Lang) -> &'static str {
    match fault {
        PolicyFault::Unreadable => lang.of("a file or folder cannot be read", "ファイルかフォルダーを読めません"),
        PolicyFault::Missing => lang.of("a file that every policy set has is not there", "どの方針にも要るファイルがありません"),
        PolicyFault::Unexpected => lang.of("a file or folder that nobody would read", "だれにも読まれないファイルかフォルダーがあります"),
        PolicyFault::Syntax => lang.of("the text is not Cedar or TOML of the expected form", "Cedar または TOML の形になっていません"),
        PolicyFault::List => lang.of("a closed list is not the program's", "閉じた一覧がプログラムの一覧と違います"),
        PolicyFault::Schema => lang.of(
            "the Cedar schema has something besides closed lists and the known actions",
            "型定義に、閉じた一覧と決まった操作のほかのものがあります",
        ),
        PolicyFault::DuplicateId => lang.of("two policies have one id", "同じ @id の方針が二つあります"),
        PolicyFault::NoId => lang.of("a policy has no proper id", "正しい @id のない方針があります"),
        PolicyFault::NoAnnotation => lang.of("a policy says too little about itself", "方針の説明が足りません"),
        PolicyFault::Effect => lang.of("the effect is not the one the id announces", "@id の文字と許可・禁止が合いません"),
        PolicyFault::Action => lang.of("the action is not the one the id announces", "@id の文字と操作（action）が合いません"),
        PolicyFault::Form => lang.of("a condition whose reach cannot be told in full", "及ぶ範囲を言い尽くせない条件があります"),
        PolicyFault::SameTitle => lang.of("two policies have one title", "同じ題名の方針が二つあります"),
        PolicyFault::EmptyLayer => lang.of("a layer has no policy", "方針が一つもない層があります"),
        PolicyFault::Unguarded => lang.of(
            "in a state in which the agreement or the consent carries nothing, something would be shown",
            "協定・同意が及ばない状態なのに、開示を止める方針が足りません",
        ),
        PolicyFault::Addons => {
            lang.of("the rules of the add-ons contradict each other or say too little", "加算の規則に食い違いか書き足りないものがあります")
        }
        PolicyFault::Template => lang.of("a template, which something outside could fill in", "外から埋められる雛形があります"),
        PolicyFault::Invalid => lang.of(
            "strict validation found faults: a misspelt code, or a condition that never holds",
            "厳格な検証で誤りが見つかりました（綴りの誤り、決して当たらない条件など）",
        ),
    }
}

/// What to do about it.
#[must_use]
pub const fn remedy(fault: PolicyFault, lang: Lang) -> &'static str {
    match fault {
        PolicyFault::Unreadable => lang.of("check the path and the permissions", "パスと権限を確かめる"),
        PolicyFault::Missing => lang.of("copy it from the published policies, then change it", "公開された方針から写し、それを直す"),
        PolicyFault::Unexpected => lang.of(
            "remove it, or give a policy file the ending .cedar in the folder itself",
            "取り除くか、方針なら拡張子 .cedar でフォルダー直下に置く",
        ),
        PolicyFault::Syntax => lang.of("correct the place that the parser names", "指摘された箇所を直す"),
        PolicyFault::List => lang.of(
            "give the list exactly the codes of the program, each once; a new code comes with a new version of the program",
            "一覧の符号をプログラムとちょうど同じに、一度ずつにする。新しい符号はプログラムの新しい版で加える",
        ),
        PolicyFault::Schema => lang.of(
            "take out what is not a closed list: policies name no organisation, person or case",
            "閉じた一覧でないものを除く（方針は特定の機関・人・事案を名指ししない）",
        ),
        PolicyFault::DuplicateId => lang.of("give one of them the next free number", "一方に空いている番号を付ける"),
        PolicyFault::NoId => lang
            .of("add @id(\"N-00\"): a letter for the layer, two or three digits", "@id(\"N-00\") の形（層の文字と2〜3桁の番号）を付ける"),
        PolicyFault::NoAnnotation => lang.of(
            "add @title (Japanese), @title_en (English) and @basis (the article or guideline)",
            "@title（日本語）、@title_en（英語）、@basis（条文・指針）を付ける",
        ),
        PolicyFault::Effect => lang.of("permits are N- and O-, prohibitions F-, A-, C- and X-", "許可は N・O、禁止は F・A・C・X にする"),
        PolicyFault::Action => {
            lang.of("O- and X- are about one operation, all others about disclose", "O・X は一つの操作、それ以外は disclose にする")
        }
        PolicyFault::Form => lang.of(
            "test one member of the key against codes of its list (==, contains), joined by &&, || and !",
            "鍵の項目一つを一覧の符号と比べ（==、contains）、&&・||・! だけでつなぐ",
        ),
        PolicyFault::SameTitle => lang.of("give each a title that tells it from the other", "見分けがつく題名を付ける"),
        PolicyFault::EmptyLayer => {
            lang.of("copy the file from the published policies, then change it", "公開された方針からそのファイルを写し、それを直す")
        }
        PolicyFault::Unguarded => {
            lang.of("put back the A- or C- policy that withholds in this state", "その状態で開示を止める A- または C- の方針を戻す")
        }
        PolicyFault::Addons => lang.of(
            "correct the row that is named: each day has one row for each add-on, part and service, and an unverified row says what is open",
            "名指しされた行を直す。加算・部分・サービスごとに一日一行とし、未確認の行には note に残りを書く",
        ),
        PolicyFault::Template => lang.of("write the policy out with codes of the closed lists", "閉じた一覧の符号で書き下す"),
        PolicyFault::Invalid => lang.of("correct the code or the condition that is named", "指摘された符号か条件を直す"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_meaning_and_a_remedy_in_two_languages() {
        for one in PolicyFault::ALL {
            assert_ne!(fault(*one, Lang::Ja), fault(*one, Lang::En), "{one}");
            assert_ne!(remedy(*one, Lang::Ja), remedy(*one, Lang::En), "{one}");
        }
    }
}
