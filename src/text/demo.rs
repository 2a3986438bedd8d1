//! What `tsunagi demo` says. `{0}`, `{1}` ... stand for what was received: never for personal values.

use std::fmt::Display;

use super::Lang;

/// A sentence in both languages, with places to fill.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    en: &'static str,
    ja: &'static str,
}

impl Line {
    /// The sentence, filled. A place without a value stays as it is.
    pub(crate) fn say(self, lang: Lang, values: &[&dyn Display]) -> String {
        let mut out = String::new();
        let mut rest = lang.of(self.en, self.ja);
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let place = after.split_once('}').and_then(|(number, tail)| Some((values.get(number.parse::<usize>().ok()?)?, tail)));
            if let Some((value, tail)) = place {
                out.push_str(&value.to_string());
                rest = tail;
            } else {
                out.push('{');
                rest = after;
            }
        }
        out + rest
    }
}

macro_rules! lines {
    ($($name:ident: $en:literal, $ja:literal;)+) => {
        $(pub(crate) const $name: Line = Line { en: $en, ja: $ja };)+
        #[cfg(test)]
        const ALL: &[(&str, Line)] = &[$((stringify!($name), $name),)+];
    };
}

pub(crate) mod work;

lines! {
    HEADLINE:
        "One referral, end to end. Everything below was received over TLS and verified; the people are invented.",
        "利用調整依頼 1 件の、始まりから終わりまで。下に出るものはすべて TLS で受け取り、検証したものです。人物は架空です。";

    GATEWAY:
        "A gateway of its own",
        "ゲートウェイを立ち上げる";
    GATEWAY_IS:
        "A sandbox was made in {0}. The gateway runs there as a process of its own (pid {1}) and answers at {2}. Every party has its own folder with its certificate and keys; the demo acts as each of them in turn and looks into no database.",
        "お試し用の環境を {0} に作りました。ゲートウェイはそこで独立したプロセス（pid {1}）として動き、{2} で応答します。機関ごとに証明書と鍵のフォルダーがあり、デモは順にその機関として動きます。データベースはのぞきません。";
    KEYS_PINNED:
        "The keys and the name the gateway shows are the ones the parties had pinned.",
        "ゲートウェイが示す鍵と名前は、各機関があらかじめ控えたものと同じです。";
    SCHEMA_SAME:
        "The published referral form (version {0}) and the policies in force are byte for byte the ones this program knows.",
        "公開されている依頼の様式（{0} 版）と発効中の方針は、このプログラムが知るものと 1 バイトも違いません。";
    HEAD_SIGNED:
        "The ledger {0} has {1} entries; its head is signed with the pinned key.",
        "台帳 {0} には {1} 件の記録があり、その先端は控えた鍵で署名されています。";

    CONSENT:
        "The centre registers the person's consent",
        "定着支援センターが本人の同意を登録する";
    CONSENT_IS:
        "The centre explained the form and signs what the person agreed to: to {0}, for placement and for the benefit decision. Sensitive classes count only where the person ticked them one by one.",
        "センターは書面を説明し、本人が同意した内容に署名します。相手は{0}、目的は利用調整と支給決定です。特に慎重を要する区分は、本人が一つずつ丸を付けたものだけが有効です。";
    TICKED:
        "ticked    ",
        "丸を付けた  ";
    NOT_TICKED:
        "not ticked",
        "付けなかった";
    RECEIPT_FITS:
        "The receipt is signed with the pinned receipt key and names exactly what was sent.",
        "受領証は控えた受領証鍵で署名され、送ったものそのものを指しています。";
    ENTRY_PROVEN:
        "Ledger entry {0} says so: its inclusion proof leads to the signed head of {1} entries.",
        "台帳の {0} 番がそれを記録しています。包含証明は、署名された {1} 件の先端に届きます。";

    ANSWER_PROVEN:
        "Receipt and ledger entry {0} verified like before.",
        "受領証と台帳の {0} 番を、前と同じく検証しました。";

    TOO_MUCH:
        "The centre sends too much",
        "センターが送りすぎる";
    TOO_MUCH_IS:
        "First attempt: the whole form with all {0} rows. Rows the reader may not see under any purpose are refused, never cut off in silence, so that the sender learns of it.",
        "1 回目は様式の全 {0} 項目を送ります。どの目的でも相手が見てはならない項目は、黙って削らずに断ります。送り手が気づけるようにするためです。";
    TRY_EVERYTHING:
        "the whole form",
        "様式の全項目を送る";
    EXACTLY_UNTICKED:
        "The {0} rows refused are exactly those of the classes the person did not tick.",
        "断られた {0} 項目は、本人が丸を付けなかった区分の項目とちょうど一致します。";
    STORED_NOTHING:
        "Nothing of the message was stored; the refusal itself is in the ledger.",
        "メッセージの中身は何も保存されません。断ったことは台帳に残ります。";

    REFERRAL:
        "The centre sends the referral without those rows",
        "それらの項目を除いて依頼を送る";
    REFERRAL_IS:
        "Each of the {0} rows is concealed on its own, the whole is signed once by the centre and sealed to the gateway. {1} knows the case by an id of its own.",
        "{0} 項目を 1 項目ずつ隠せる形にし、センターが全体に一度だけ署名して、ゲートウェイあてに暗号化しました。{1} は別の番号で同じ事案を知ります。";
    CASE_ID:
        "case at the sender",
        "送り手側の事案番号";

    PLACEMENT:
        "The municipality reads, for placement",
        "市町村が、利用調整のために読む";
    PLACEMENT_IS:
        "{0} finds one new case in its list and reads it for placement: {1} of the {2} rows the centre sent.",
        "{0}の一覧に新しい事案が 1 件あります。利用調整の目的で読むと、センターが送った {2} 項目のうち {1} 項目が示されます。";
    SENDER_SIGNED:
        "The centre's own signature stands over every row shown; what is withheld is unreadable, not blacked out.",
        "示された項目のすべてに、センター自身の署名が通っています。示されない項目は、黒塗りではなく、読めません。";
    BOUND:
        "The gateway bound exactly these rows to this reader and this request (sd_hash {0}…).",
        "ゲートウェイは、ちょうどこれらの項目を、この読み手とこの要求に結び付けました（sd_hash {0}…）。";
    RECORDED_FIRST:
        "Ledger entry {0} recorded this release before it left; it names the same sd_hash and is proven under the head of {1} entries.",
        "台帳の {0} 番が、送り出す前にこの開示を記録しています。同じ sd_hash を持ち、{1} 件の先端のもとで証明されました。";

    BENEFIT:
        "The same office reads again, for the benefit decision",
        "同じ課が、今度は支給決定のために読む";
    BENEFIT_IS:
        "Same case, same certificate, another purpose: {0} of {1} rows. Whoever decides on benefits does not need to know of custody or offence.",
        "同じ事案、同じ証明書で、目的だけが違います。示されるのは {1} 項目のうち {0} 項目です。支給決定に、収容や罪名を知る必要はありません。";
    STILL_SHOWN: "shown again  ", "引き続き開示  ";
    NOW_SHOWN: "now shown    ", "新たに開示    ";
    NOW_WITHHELD: "now withheld ", "今度は非開示  ";
    VIEW_PROVEN:
        "Verified like before: sender's signature, key binding, ledger entry {0}.",
        "前と同じく検証しました。送り手の署名、鍵の結び付け、台帳の {0} 番。";

    STRANGERS:
        "Strangers ask for the case",
        "関係のない機関が事案をたずねる";
    STRANGERS_IS:
        "Other registered parties ask with the municipality's case id, and one of them with an id that never existed. What is not yours is not there.",
        "登録された別の機関が、市町村の事案番号でたずねます。一つは、存在しない番号でもたずねます。自分のものでない事案は、存在しません。";
    INVENTED:
        "{0}, with an invented id",
        "{0}（作り物の番号で）";
    SAME_NOTHING:
        "The answer to the real id and to the invented one differ in nothing but the request id.",
        "本物の番号への答えと、作り物の番号への答えは、要求番号のほかはまったく同じです。";

    REFUSALS:
        "What else is refused, and why",
        "ほかに断られること、その理由";
    REFUSALS_IS:
        "Each of these is a real request. The gateway says why and what to do next; every refusal is an entry in the ledger.",
        "どれも実際に送った要求です。ゲートウェイは理由と次にすることを答え、断ったことも台帳に残します。";
    SAME_AGAIN:
        "The very same message sent again: the same case, the same receipt id, the same entry {0}; the ledger did not grow.",
        "まったく同じメッセージをもう一度：同じ事案、同じ受領証番号、同じ {0} 番。台帳は増えません。";
    TRY_CONFLICT:
        "the same message id with another content",
        "同じメッセージ番号で別の中身を送る";
    TRY_OTHER_PATH:
        "an actor token made for another path",
        "別のパスのために作った操作者トークンを使う";
    TRY_TWICE:
        "an actor token used a second time",
        "操作者トークンを二度使う";
    TRY_WRONG_KEY:
        "a message signed with a key nobody registered",
        "登録されていない鍵で署名したメッセージを送る";
    TRY_PURPOSE:
        "a read for a purpose the message was not sent for",
        "メッセージの利用目的にない目的で読む";
    TRY_MY_NUMBER:
        "a My Number inside the person's wishes",
        "本人の希望の欄に個人番号を書く";
    TRY_PROVIDER:
        "a settlement centre writing to a group home, whose sender alone would tell of a criminal record",
        "定着支援センターがグループホームへ直接送る（差出人の名だけで犯罪の経歴が伝わる）";

    RECEIPTS:
        "The municipality acknowledges; the centre collects its evidence",
        "市町村が受領を知らせ、センターが証拠を受け取る";
    RECEIPTS_IS:
        "{0} signs that it holds the first release. The centre asks what became of its message.",
        "{0}が、最初の開示を受け取ったことに署名します。センターは、自分のメッセージがどうなったかをたずねます。";
    RECEIPTS_IN_TREE:
        "Each receipt is signed with the pinned key, and its entry was found in the tree: the centre built the proofs itself out of public hash tiles.",
        "どの受領証も控えた鍵で署名され、その記録が木の中にあります。証明は、センターが公開のハッシュタイルから自分で組み立てました。";

    WITHDRAWAL:
        "The person withdraws, and it bites at once",
        "本人が同意を撤回し、すぐに効く";
    WITHDRAWAL_IS:
        "The person tells the municipality, which signs the end of the consent. It is effective from its ledger entry.",
        "本人が市町村に伝え、市町村が同意の終わりに署名します。台帳の記録の時点から効きます。";
    TRY_AFTER:
        "the next read, for placement",
        "次の読み取り（利用調整）";
    TRY_AFTER_BENEFIT:
        "and for the benefit decision",
        "支給決定のためでも同じ";
    AFTER_ORDER:
        "After entry {0}, the withdrawal, the ledger holds no release of this case: the order of the entries is the order of the rights.",
        "撤回の記録（{0} 番）より後に、この事案の開示は一つもありません。記録の順序が、権利の順序です。";

    AUDIT:
        "The auditor asks who saw what",
        "監査人が、誰が何を見たかをたずねる";
    AUDIT_IS:
        "The auditor gets names of rows, never their values: {0} entries about this case, the two reads among them.",
        "監査人に渡るのは項目の名前だけで、値は渡りません。この事案の記録は {0} 件、その中に二度の読み取りがあります。";
    OPENINGS_FIT:
        "Each opening is what its entry committed to, and each entry was found in the signed tree of {0} entries.",
        "開示内容の控えはどれも、記録が約束したものと一致し、記録はどれも、署名された {0} 件の木の中にあります。";
    ROWS_AGREE:
        "The rows the ledger names for each read are exactly the rows the municipality received.",
        "台帳が挙げる項目は、それぞれの読み取りで市町村が受け取った項目とちょうど一致します。";
    ROWS_WITHHELD:
        "Rows withheld in either read, and the rule that withheld them. The {0} others were shown both times.",
        "二度の読み取りのどちらかで示されなかった項目と、その決まりです。残る {0} 項目は、どちらでも示されました。";
    REFUSALS_TOO:
        "Refusals are entries too: {0}.",
        "断ったことも記録されています：{0}。";
    NECESSITY:
        "beyond necessity",
        "必要最小限の外";

    CONSISTENCY:
        "Nothing was rewritten",
        "何も書き換えられていない";
    CONSISTENCY_IS:
        "The head from the beginning of the demo ({0} entries) and the head now ({1} entries) are compared.",
        "デモの初めに受け取った先端（{0} 件）と、いまの先端（{1} 件）を比べます。";
    ONLY_ADDED:
        "A proof of {0} hashes shows that the later tree contains the earlier one unchanged: entries were only added.",
        "{0} 個のハッシュの証明により、後の木は前の木をそのまま含みます。記録は追加されただけです。";

    OFFLINE:
        "A stranger verifies the ledger, offline",
        "第三者が台帳を、通信なしで検証する";
    OFFLINE_IS:
        "The auditor takes the ledger home as plain files (C2SP tiles) in {0}. Another process verifies them with nothing but the ledger's public key.",
        "監査人は台帳を通常のファイル（C2SP のタイル）として {0} に持ち帰ります。別のプロセスが、台帳の公開鍵だけを使って検証します。";
    OFFLINE_GOOD:
        "Verified: every entry, every opening, every tile, the signed head.",
        "検証できました。すべての記録、控え、タイル、署名された先端。";
    TAMPERED_IS:
        "Then one byte of one entry is changed in a copy, {0}.",
        "次に、写しの中の記録を 1 バイトだけ変えます（{0}）。";
    TAMPERED_FOUND:
        "The change is found.",
        "変えたことは見つかりました。";

    SUMMARY:
        "Done: {0} checks passed, {1} requests refused as they should be.",
        "終わりました。{0} 件の検証が通り、{1} 件の要求が正しく断られました。";
    STOPPED:
        "The gateway has been stopped and the sandbox removed. To look around yourself:  tsunagi demo --keep",
        "ゲートウェイを止め、お試し用の環境を消しました。自分で見て回るには：  tsunagi demo --keep";
    STOPPED_KEPT:
        "The gateway has been stopped. The sandbox stays in {0}.",
        "ゲートウェイを止めました。お試し用の環境は {0} に残っています。";
    KEPT:
        "The gateway goes on serving at {0} (pid {1}). What to try next:",
        "ゲートウェイは {0} で動き続けています（pid {1}）。次に試せること：";
    KEPT_EVENTS: "who saw what", "誰が何を見たか";
    KEPT_EXPORT: "take the ledger home", "台帳を持ち帰る";
    KEPT_LOG: "what the gateway says", "ゲートウェイの記録を見る";
    KEPT_STOP: "stop it", "止める";
    KEPT_REMOVE: "and remove the sandbox", "環境を消す";
    LEFT_BEHIND:
        "The demo did not end well. Its folder stays for you to look at: {0} (the gateway's log is serve.log)",
        "デモを最後まで行えませんでした。調べられるように、フォルダーを残します：{0}（ゲートウェイの記録は serve.log）";

    COL_PARTY: "party", "機関";
    COL_ID: "id", "番号";
    COL_ROW: "row", "項目";
    COL_ROWS: "rows", "項目数";
    COL_CLASS: "class", "区分";
    COL_RULE: "rule", "決まり";
    COL_EXAMPLE: "for example", "例";
    COL_PLACEMENT: "placement", "利用調整";
    COL_BENEFIT: "benefit", "支給決定";
    COL_ANSWER: "answer", "答え";
    COL_STATE: "state", "状態";
    COL_TIME: "time UTC", "時刻 UTC";
    COL_ENTRY: "entry", "台帳";
    COL_WHAT: "operation", "操作";

    RECEIPT_ACCEPTED: "accepted", "受け付けた";
    RECEIPT_RELEASED: "released", "開示した";
    RECEIPT_ACKNOWLEDGED: "acknowledged", "受領の知らせ";
    RECEIPT_UNCOLLECTED: "not collected in time", "期限までに受け取りなし";
    RECEIPT_REFUSED: "refused", "断った";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> std::collections::BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(place, _)| place)).collect()
    }

    #[test]
    fn both_languages_are_there_and_have_the_same_places() {
        for (name, line) in ALL {
            assert!(!line.en.trim().is_empty() && line.en.replace('…', "").is_ascii(), "{name}");
            assert!(!line.ja.is_ascii(), "{name}");
            assert_eq!(places(line.en), places(line.ja), "{name}");
            assert!(places(line.en).iter().all(|place| place.parse::<usize>().is_ok()), "{name}");
        }
    }

    #[test]
    fn places_are_filled_in_the_order_of_each_language() {
        assert_eq!(PLACEMENT_IS.say(Lang::En, &[&"X", &1, &2]).matches("1 of the 2").count(), 1);
        assert!(PLACEMENT_IS.say(Lang::Ja, &[&"市", &1, &2]).contains("2 項目のうち 1 項目"));
    }

    #[test]
    fn what_is_not_a_place_stays() {
        let line = Line { en: "a {x} {9} {0", ja: "" };
        assert_eq!(line.say(Lang::En, &[&1]), "a {x} {9} {0");
        assert_eq!(Line { en: "{0}", ja: "" }.say(Lang::En, &[&"{0}"]), "{0}");
    }
}
