//! What `tsunagi demo --story` says.

use super::Line;

lines! {
    HEADLINE:
        "One case of exit support, from the referral to the closing. After each step the demo asks as every party what it is told of the case, and reads what it may read. Everything was received over TLS and verified; the people are invented.",
        "出口支援の事案 1 件の、依頼から終結まで。段階ごとに、すべての機関として事案の一覧をたずね、読めるものを読みます。下に出るものはすべて TLS で受け取り、検証したものです。人物は架空です。";

    GATEWAY: "Who takes part", "関わる機関";
    GATEWAY_IS:
        "A gateway of its own serves at {0} (pid {1}). These units take part under the agreement {2}; in it the municipality has its core centre act for it.",
        "専用のゲートウェイが {0} で応答しています（pid {1}）。次の機関が協定 {2} のもとで関わります。市町村はこの協定で、基幹相談支援センターに自分のために動くことを委ねています。";

    CONSENT: "The person consents", "本人が同意する";
    CONSENT_IS:
        "The centre registers the consent: everything that arranging needs to the municipality and its core centre; to two homes only what an anonymous enquiry holds.",
        "センターが同意を登録します。市町村と基幹には利用調整に要る項目を、二つのホームには匿名の照会に要る項目だけを示してよい、という内容です。";

    REFERRAL: "The centre refers the person to the municipality", "センターが市町村に依頼する";
    REFERRAL_IS:
        "The referral opens the case. The core centre finds it too, because it acts for the municipality.",
        "依頼で事案が始まります。基幹も、市町村のために動くので、同じ事案を見つけます。";

    ACCEPTED: "The core centre accepts, for its municipality", "基幹が市町村のために受理する";
    ACCEPTED_IS: "It signs with its own key; ledger and releases say for whom.", "署名は基幹自身の鍵によるものです。だれのためかは、台帳と開示に残ります。";

    SUPPLEMENT: "What the centre still remembers", "センターからの追加の情報";
    SUPPLEMENT_IS: "While both support the person, centre and municipality tell each other more.", "併走の間、センターと市町村は互いに情報を足していきます。";

    ENQUIRY: "Two homes are asked, without a name", "二つのホームに、名前を伏せて照会する";
    ENQUIRY_IS:
        "Each gets an enquiry of its own under a case number of its own. Neither learns of the centre, of the referral or of the other home.",
        "ホームごとに別の照会、別の事案番号です。センターのことも、依頼のことも、もう一方のホームのことも、どちらにも伝わりません。";

    IMPOSSIBLE: "One home cannot", "一方のホームは受けられない";
    IMPOSSIBLE_IS: "With its answer its view ends.", "そう答えたときから、このホームには何も示されません。";
    POSSIBLE: "The other can", "もう一方は受けられる";
    POSSIBLE_IS: "It answers to the core centre that asked. It still does not know who the person is.", "照会した基幹に答えます。だれのことかは、まだ知りません。";

    NAMED: "The person names the home", "本人がホームを名指しして同意する";
    NAMED_IS:
        "A new consent takes the place of the first. It names the one home and the consultation office, for what each does.",
        "新しい同意が前の同意に代わります。名指しした一つのホームと相談支援事業所に、それぞれの仕事に要る項目を示してよい、という内容です。";
    OTHER_HOME: "the same request to a service that the person did not name", "本人が名指ししていない事業所に、同じ依頼を送る";

    REQUEST: "The named home is asked, with the name", "名指しされたホームに、名前を示して依頼する";
    REQUEST_IS: "Only now this one home is shown who the person is.", "ここで初めて、このホームだけに、だれのことかが示されます。";
    PLACED: "The home accepts", "ホームが受け入れる";
    PLACED_IS: "From now on it is shown what serving the person needs.", "ここからは、支援に要る項目が示されます。";

    PLAN: "The consultation office is asked for the plan", "相談支援事業所に計画を頼む";
    PLAN_IS: "It sees what planning needs, for planning alone.", "計画に要る項目が、計画のためだけに示されます。";
    HAND_OFF: "What the home needs to begin", "ホームへの引継ぎ";
    HAND_OFF_IS: "The municipality's own message: what the centre tells about the person never reaches the home as such.", "市町村自身のメッセージです。センターが本人について書いたメッセージは、ホームには渡りません。";
    STARTED: "The person moves in", "利用が始まる";
    STARTED_IS: "The home tells the municipality.", "ホームが市町村に知らせます。";
    MEETING: "The core centre calls a meeting", "基幹が会議を開く";
    MEETING_IS: "Date, place and who comes: nothing about the person.", "日時と場所と出席する機関だけで、本人のことは書きません。";

    ELIGIBLE: "May the home claim for it?", "ホームは加算を請求できるか";
    ELIGIBLE_IS:
        "The rules of the add-ons answer from what is stated, without asking a gateway. What is missing is the certificate of who coordinated.",
        "加算の規則が、述べられた事実だけから答えます。ゲートウェイには聞きません。足りないのは、だれが調整したかの証明書です。";
    ELIGIBLE_GOOD: "The person is eligible, and only the certificate is missing.", "要件に当てはまり、足りないのは証明書だけです。";
    CERTIFIED: "The centre certifies that it coordinated", "センターが調整を証明する";
    CERTIFIED_IS:
        "The gateway compares it with the case's own ledger and countersigns. It says nothing of an offence or a facility.",
        "ゲートウェイは、この事案の台帳と照らし合わせて連署します。証明書には、事件のことも施設のことも書かれません。";
    PASSED_ON: "The municipality passes it on to the home", "市町村が証明書をホームに渡す";
    PASSED_ON_IS:
        "In a message of its own: a home gets no message of a centre.",
        "市町村自身のメッセージで渡します。センターのメッセージがホームに届くことはありません。";
    VERIFIED: "The home verifies it, without a connection", "ホームが接続なしで検証する";
    VERIFIED_IS:
        "The home fetched it into {0}. Whoever pinned the gateway's keys can verify it for years.",
        "ホームは証明書を {0} に保存しました。ゲートウェイの鍵を控えた人なら、何年たっても検証できます。";
    VERIFIED_GOOD: "The certificate verifies: the centre's signature and the gateway's.", "証明書を検証できました。センターの署名も、ゲートウェイの連署も正しいものです。";

    PROPOSAL: "The centre proposes to hand over", "センターが主担当の移行を提案する";
    PROPOSAL_IS: "One side alone changes nothing.", "片方の署名だけでは、何も変わりません。";
    AGREED: "The municipality agrees: handed over", "市町村が同意し、主担当が移る";
    AGREED_IS: "At once the centre is no longer shown what it was shared: of the supplement it reads {0} rows now.", "共有されていた内容は、その時からセンターには示されません。追加情報は、いま {0} 項目しか読めません。";
    TOLD_LATE: "to tell the centre more about the person", "本人のことをさらにセンターに伝える";

    QUESTION: "The home asks for advice", "ホームが相談する";
    QUESTION_IS: "Backing goes on behind the hand-over.", "後方支援は、移行の後も続きます。";
    ADVICE: "The municipality answers", "市町村が助言する";
    ADVICE_IS: "The advice goes to the home alone.", "助言は、このホームだけに届きます。";

    WITHDRAWN: "The person withdraws the consent", "本人が同意を撤回する";
    WITHDRAWN_IS: "Whoever works on the case may record it; here the home, where the person lives. Entry {0} of the ledger; from it on nothing that rests on the consent is shown to anybody.", "事案に関わる機関なら、どこでも受け付けられます。ここでは本人が暮らすホームです。台帳の {0} 番。そこから先、この同意による内容は、だれにも示されません。";
    READ_AGAIN: "the home reads the hand-off again", "ホームが引継ぎをもう一度読む";

    CLOSED: "The municipality closes the case", "市町村が事案を終結する";
    CLOSED_IS: "Every relation ends with this entry.", "すべての機関の関わりが、この記録で終わります。";

    KEPT: "The proof stays", "証明書は残る";
    KEPT_IS: "The file of the home verifies as before: it needs neither the case nor the consent.", "ホームに残る証明書は、前と同じように検証できます。事案にも同意にも頼りません。";

    AUDIT: "What the auditor can prove", "監査人が示せること";
    AUDIT_IS: "The auditor finds {0} entries about this case, {1} of them made by the core centre for its municipality.", "この事案の記録は {0} 件あり、うち {1} 件は基幹が市町村のために行ったものです。";
    AUDIT_PROVEN: "All of them are included in the signed head of {0} entries.", "そのすべてが、署名された {0} 件の先端に含まれています。";
    NO_LEAK: "No home and no office got a message that the centre signed.", "センターが署名したメッセージを受け取った事業所はありません。";

    SENT: "Sent: {0} with {1} rows; receipt and ledger entry {2} verified.", "送付: {0}、{1} 項目。受領証と台帳の {2} 番を検証しました。";
    LEFT_OUT: "Of the published example, {0} rows were left out: the gateway refused them for this recipient at this stage.", "公開されている例のうち {0} 項目は除きました。この段階のこの相手には、ゲートウェイが断ったためです。";
    SUMMARY: "Done: {0} checks held, {1} attempts were refused as they must be.", "完了: {0} 件の検証がすべて成り立ち、断られるべき {1} 件は断られました。";

    COL_STATE: "the case is", "事案の状態";
    COL_RELATION: "stands as", "立場";
    COL_MESSAGES: "messages", "通数";
    COL_ROWS: "rows", "項目数";
    NOTHING: "-", "－";
    FOR: "{0} (acting)", "{0}（代理）";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Lang;

    #[test]
    fn both_languages_say_it_with_the_same_values() {
        for (name, line) in ALL {
            let said = |lang| line.say(lang, &[&"ONE", &"TWO", &"THREE"]);
            let (en, ja) = (said(Lang::En), said(Lang::Ja));
            assert!(en.is_ascii() && !ja.is_ascii(), "{name}");
            assert!(!en.contains('{') && !ja.contains('{'), "{name}");
            for value in ["ONE", "TWO", "THREE"] {
                assert_eq!(en.contains(value), ja.contains(value), "{name}: {value}");
            }
        }
    }
}
