//! What a problem document says, per code (protocol section 5): a title and what to do next.

use super::Lang;
use crate::domain::refusal::RefusalCode;

/// Title and next step of a refusal, in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalText {
    title: [&'static str; 2],
    detail: [&'static str; 2],
}

impl RefusalText {
    /// Short statement of what is wrong.
    #[must_use]
    pub const fn title(&self, lang: Lang) -> &'static str {
        let [en, ja] = self.title;
        lang.of(en, ja)
    }

    /// What to do next.
    #[must_use]
    pub const fn detail(&self, lang: Lang) -> &'static str {
        let [en, ja] = self.detail;
        lang.of(en, ja)
    }
}

const fn text(title: [&'static str; 2], detail: [&'static str; 2]) -> RefusalText {
    RefusalText { title, detail }
}

/// The text of a refusal.
#[must_use]
pub const fn refusal(code: RefusalCode) -> RefusalText {
    match code {
        RefusalCode::BadRequest => text(
            ["The request cannot be read", "要求を読み取れません"],
            [
                "Check the method, path, query and JSON against the protocol and send it again.",
                "メソッド・パス・クエリ・JSON を仕様と照らして直し、もう一度送ってください。",
            ],
        ),
        RefusalCode::BadEnvelope => text(
            ["The envelope does not have the required form", "封筒（JWE）の形式が違います"],
            [
                "Send a compact JWE with exactly the header members alg, enc, typ, cty, kid and epk, encrypted to the gateway's current enc key.",
                "ヘッダーが alg・enc・typ・cty・kid・epk だけの compact JWE を、ゲートウェイの現在の enc 鍵あてに作ってください。",
            ],
        ),
        RefusalCode::DecryptFailed => text(
            ["The envelope cannot be opened", "封筒（JWE）を開けません"],
            [
                "Fetch the gateway's keys from /.well-known/tsunagi and encrypt again.",
                "/.well-known/tsunagi から鍵を取り直し、暗号化し直してください。",
            ],
        ),
        RefusalCode::BadToken => text(
            ["The signed object is not acceptable", "署名付きの文書を受け付けられません"],
            [
                "Check header, claims, times and signature against the protocol, then sign a new object.",
                "ヘッダー・クレーム・時刻・署名を仕様と照らし、署名し直してください。",
            ],
        ),
        RefusalCode::BadDisclosure => text(
            ["A disclosure does not fit the signed message", "開示（Disclosure）が署名済みの文書と合いません"],
            [
                "Every disclosure must be referenced exactly once, with a fresh salt; every body row must be selectively disclosable and whole.",
                "開示はそれぞれ一度だけ参照され、固有のソルトを持つ必要があります。本文の各項目は項目ごとに開示できる形にしてください。",
            ],
        ),
        RefusalCode::LimitExceeded => text(
            ["A size limit is exceeded", "大きさの上限を超えています"],
            [
                "See \"limits\" in /.well-known/tsunagi and send less in one message.",
                "/.well-known/tsunagi の limits を確かめ、1 通の量を減らしてください。",
            ],
        ),
        RefusalCode::ActorMissing => text(
            ["The actor token is missing", "操作者トークンがありません"],
            ["Send a tsunagi-actor+jwt in the header Tsunagi-Actor.", "Tsunagi-Actor ヘッダーに tsunagi-actor+jwt を付けてください。"],
        ),
        RefusalCode::ActorInvalid => text(
            ["The actor token is not valid", "操作者トークンが正しくありません"],
            [
                "Sign a new token with an active sig key: aud is the gateway, exp at most 300 s after iat, one purpose.",
                "有効な署名鍵で新しいトークンを作ってください（aud はゲートウェイ、exp は iat から 300 秒以内、目的は一つ）。",
            ],
        ),
        RefusalCode::ActorBinding => text(
            ["The actor token belongs to another request", "操作者トークンが別の要求のものです"],
            [
                "Sign a token for this method, path, body and client certificate.",
                "このメソッド・パス・本文・証明書のためのトークンを作ってください。",
            ],
        ),
        RefusalCode::ActorReplayed => text(
            ["The actor token was already used", "操作者トークンは使用済みです"],
            ["Sign a new token with a new jti for every request.", "要求ごとに新しい jti でトークンを作ってください。"],
        ),
        RefusalCode::UnknownParty => text(
            ["The party is not registered here", "登録されていない機関です"],
            [
                "Ask the operator to register the unit named in your certificate.",
                "証明書に記載された機関の登録を運用者に依頼してください。",
            ],
        ),
        RefusalCode::BadIdentity => text(
            ["The certificate does not name exactly one party", "証明書が機関を一つに特定していません"],
            [
                "The certificate needs exactly one SAN URI urn:tsunagi:party:<kind>:<code>. Ask the issuing authority for a new one.",
                "SAN に urn:tsunagi:party:<種別>:<番号> がちょうど一つある証明書を発行してもらってください。",
            ],
        ),
        RefusalCode::PartySuspended => {
            text(["The party is suspended", "機関の利用が停止されています"], ["Contact the operator.", "運用者に連絡してください。"])
        }
        RefusalCode::IssuerMismatch => text(
            ["The issuer is not the caller", "発行者が接続元の機関と違います"],
            [
                "Send your own messages only, over a connection with your own certificate.",
                "自機関の証明書による接続で、自機関の文書だけを送ってください。",
            ],
        ),
        RefusalCode::KeyNotAllowed => text(
            ["The signing key may not be used", "この鍵は使えません"],
            ["Sign with an active sig key that is registered for your party.", "自機関に登録された有効な署名鍵で署名してください。"],
        ),
        RefusalCode::KeyRevoked => text(
            ["The signing key was retired or compromised", "鍵は失効しています"],
            [
                "Register a new key with POST /v1/parties/self/keys and sign again.",
                "POST /v1/parties/self/keys で新しい鍵を登録し、署名し直してください。",
            ],
        ),
        RefusalCode::BindingMismatch => text(
            ["The message is not bound to this gateway", "このゲートウェイに結び付いた文書ではありません"],
            ["Put the gateway's current kb key into cnf.", "cnf にゲートウェイの現在の kb 鍵を入れてください。"],
        ),
        RefusalCode::NoAgreement => text(
            ["No agreement covers this exchange", "この授受を定める協定がありません"],
            [
                "Name an agreement that binds both parties and has a flow for this kind, purpose and basis.",
                "双方を拘束し、この種別・目的・根拠の定めがある協定を指定してください。",
            ],
        ),
        RefusalCode::AgreementNotInForce => text(
            ["The agreement is not in force", "協定が効力を持っていません"],
            [
                "See GET /v1/agreements for its state; have it accepted, resumed or renewed.",
                "GET /v1/agreements で状態を確かめ、締結・再開・更新をしてください。",
            ],
        ),
        RefusalCode::NoConsent => text(
            ["No consent supports this", "本人の同意がありません"],
            [
                "Register the person's consent with POST /v1/consents and name it in the message.",
                "POST /v1/consents で本人の同意を登録し、文書に示してください。",
            ],
        ),
        RefusalCode::ConsentEnded => text(
            ["The consent has ended", "本人の同意は撤回または終了しています"],
            [
                "Nothing further may be sent or read under it. Ask the person for a new consent if it is still needed.",
                "この同意ではもう送ることも読むこともできません。必要なら本人に改めて同意を確かめてください。",
            ],
        ),
        RefusalCode::ConsentScope => text(
            ["The consent does not cover this", "同意の範囲に含まれていません"],
            ["Check recipient, purpose and period of the consent.", "同意の相手方・目的・期間を確かめてください。"],
        ),
        RefusalCode::PurposeNotAllowed => text(
            ["The purpose is not allowed", "この利用目的は認められません"],
            [
                "Use a purpose that the unit is registered for, that the message names and that the agreement's flow has.",
                "機関に登録され、文書と協定にある利用目的を使ってください。",
            ],
        ),
        RefusalCode::RecipientNotAllowed => text(
            ["The recipient may not receive this", "この相手方には送れません"],
            ["Check the recipient's role, registration and the agreement's flows.", "相手方の種別・登録・協定の定めを確かめてください。"],
        ),
        RefusalCode::OperationNotAllowed => text(
            ["The operation is not allowed for this party", "この機関には認められない操作です"],
            [
                "See the table of endpoints: this operation belongs to another role.",
                "操作ごとに認められた機関の種別を仕様で確かめてください。",
            ],
        ),
        RefusalCode::NotFound => text(
            ["Not found", "見つかりません"],
            [
                "Check the identifier. What is not yours is not shown to exist.",
                "番号を確かめてください。自機関のものでない情報は、有無も示されません。",
            ],
        ),
        RefusalCode::MethodNotAllowed => {
            text(["Method not allowed", "このメソッドは使えません"], ["See the Allow header.", "Allow ヘッダーを見てください。"])
        }
        RefusalCode::NotAcceptable => text(
            ["The representation is not available", "求められた形式では返せません"],
            [
                "Accept application/json, application/jose or application/problem+json.",
                "Accept に application/json・application/jose・application/problem+json を含めてください。",
            ],
        ),
        RefusalCode::LengthRequired => {
            text(["A length is required", "本文の長さが必要です"], ["Send a Content-Length.", "Content-Length を付けてください。"])
        }
        RefusalCode::TooLarge => text(
            ["The request is too large", "要求が大きすぎます"],
            ["The limit is 512 KiB. Send less in one message.", "上限は 512 KiB です。分けて送ってください。"],
        ),
        RefusalCode::BadMediaType => text(
            ["The media type is not the expected one", "本文の形式（Content-Type）が違います"],
            [
                "Messages are application/jose, signed objects application/jwt, agreements application/json.",
                "文書は application/jose、署名付き文書は application/jwt、協定は application/json です。",
            ],
        ),
        RefusalCode::HeadersTooLarge => text(
            ["The request headers are too large", "ヘッダーが大きすぎます"],
            ["Keep all headers within 16 KiB.", "ヘッダー全体を 16 KiB 以内にしてください。"],
        ),
        RefusalCode::ReplayConflict => text(
            ["The id was used for other content", "同じ番号が別の内容で使われています"],
            [
                "Send the first content again to get its answer, or use a new jti for the new content.",
                "最初の内容を送り直すか、新しい内容には新しい jti を使ってください。",
            ],
        ),
        RefusalCode::StateConflict => text(
            ["The state does not allow this now", "今の状態では行えません"],
            [
                "Take a step that the state allows. Where a case is concerned, violations name the kinds that are possible now.",
                "今の状態でできる手続きをしてください。事案については、今できる種別が violations にあります。",
            ],
        ),
        RefusalCode::MessageTooOld => text(
            ["The message is too old", "文書が古すぎます"],
            ["Sign it again: iat may be at most 24 hours ago.", "署名し直してください（iat は 24 時間以内）。"],
        ),
        RefusalCode::Erased => text(
            ["The content was erased", "内容は消去されています"],
            ["Nothing is left to read; its record in the ledger stays.", "読める内容は残っていません。台帳の記録だけが残ります。"],
        ),
        RefusalCode::SchemaUnknown => text(
            ["The schema is not published here", "公開されていない様式です"],
            ["See \"schemas\" in /.well-known/tsunagi.", "/.well-known/tsunagi の schemas を見てください。"],
        ),
        RefusalCode::SchemaMismatch => text(
            ["The schema does not match", "様式が合いません"],
            [
                "Fetch the schema again and use its id, version and SHA-256; the version must be one that the agreement names.",
                "様式を取り直し、その id・版・SHA-256 を使ってください。版は、協定に挙げられたものに限ります。",
            ],
        ),
        RefusalCode::SchemaInvalid => text(
            ["The content does not fit the schema", "内容が様式に合いません"],
            ["Correct the rows listed under violations.", "violations に示した項目を直してください。"],
        ),
        RefusalCode::OverDisclosure => text(
            ["The message carries more than the recipient may have", "相手方に必要な範囲を超えた項目があります"],
            [
                "Leave out the rows listed under violations, or have the person tick them in the consent where that opens them.",
                "violations に示した項目を除くか、本人が個別に同意した場合は同意書に加えてください。",
            ],
        ),
        RefusalCode::PaddingRequired => text(
            ["The number of digests is not padded", "ダイジェストの数がそろえられていません"],
            [
                "Towards providers body must have 32, 64, 128 or 256 digests: add decoys.",
                "事業所あてでは body のダイジェストを 32・64・128・256 個にそろえてください（decoy を加える）。",
            ],
        ),
        RefusalCode::ProhibitedMyNumber => text(
            ["A text looks like an individual number (My Number)", "個人番号（マイナンバー）とみられる数字があります"],
            [
                "Remove or re-word the rows listed under violations: twelve digits with that check digit are never carried.",
                "violations に示した項目を除くか書き換えてください。この検査数字の 12 桁は運びません。",
            ],
        ),
        RefusalCode::BadIdentifier => text(
            ["An identifier is not valid", "番号が正しくありません"],
            ["Check the check digit of the identifier listed under violations.", "violations に示した番号の検査数字を確かめてください。"],
        ),
        RefusalCode::RateLimited => {
            text(["Too many requests", "要求が多すぎます"], ["Wait for the time in Retry-After.", "Retry-After の時間を待ってください。"])
        }
        RefusalCode::LedgerUnavailable => text(
            ["The ledger cannot be written", "台帳に記録できません"],
            [
                "Send the same request again after Retry-After. What changes something is done once: if it was recorded all the same, you get that result.",
                "Retry-After の後に同じ要求を送ってください。変更は一度しか行われず、記録されていた場合はその結果が返ります。",
            ],
        ),
        RefusalCode::PolicyMismatch => text(
            ["The policy in force is not loaded here", "効力のある方針が読み込まれていません"],
            [
                "Nothing happened. Try again after Retry-After, or tell the operator.",
                "何も行われていません。Retry-After の後に送り直すか、運用者に知らせてください。",
            ],
        ),
        RefusalCode::CrlStale => text(
            ["The certificate revocation list is out of date", "失効リスト（CRL）の期限が切れています"],
            [
                "The operator must install a current CRL. Try again after Retry-After.",
                "運用者が新しい CRL を入れる必要があります。Retry-After の後に送り直してください。",
            ],
        ),
        RefusalCode::Overloaded => text(
            ["The gateway is overloaded", "混み合っています"],
            ["Nothing happened. Try again after Retry-After.", "何も行われていません。Retry-After の後に送り直してください。"],
        ),
    }
}
