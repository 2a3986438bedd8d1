//! What an auditor reads: what verification can find, what it cannot see, and the files of an export.

use super::Lang;
use crate::domain::{
    codes::closed_list,
    entry::{EntryType, Outcome},
    time::Timestamp,
};

closed_list! {
    /// What can be wrong with a ledger: with an export, or with the database behind it.
    Finding {
        CheckpointForm = "checkpoint_form",
        CheckpointKey = "checkpoint_key",
        CheckpointSignature = "checkpoint_signature",
        CheckpointOrigin = "checkpoint_origin",
        CosignatureWrong = "cosignature_wrong",
        CosignaturesMissing = "cosignatures_missing",
        LedgerEmpty = "ledger_empty",
        FileMissing = "file_missing",
        FileUnexpected = "file_unexpected",
        FileKind = "file_kind",
        FileLength = "file_length",
        EntryUnreadable = "entry_unreadable",
        EntryChanged = "entry_changed",
        TileChanged = "tile_changed",
        EntryOrTileChanged = "entry_or_tile_changed",
        RootMismatch = "root_mismatch",
        KeptNote = "kept_note",
        KeptNewer = "kept_newer",
        HistoryForked = "history_forked",
        EntryLength = "entry_length",
        EntryForm = "entry_form",
        EntryVersion = "entry_version",
        EntryId = "entry_id",
        EntryIdRepeated = "entry_id_repeated",
        EntryTime = "entry_time",
        EntryTimeOrder = "entry_time_order",
        FirstEntry = "first_entry",
        OpeningMissing = "opening_missing",
        OpeningRepeated = "opening_repeated",
        OpeningBeyond = "opening_beyond",
        OpeningForm = "opening_form",
        OpeningUncommitted = "opening_uncommitted",
        OpeningMismatch = "opening_mismatch",
        ReleaseAfterConsentEnd = "release_after_consent_end",
        ReleaseAfterAgreementEnd = "release_after_agreement_end",
        ReleaseToSuspended = "release_to_suspended",
        ReleaseAfterErasure = "release_after_erasure",
        ReopeningMismatch = "reopening_mismatch",
        LossConcealed = "loss_concealed",
        RowMissing = "row_missing",
        RowBeyond = "row_beyond",
        RowUnreadable = "row_unreadable",
        ColumnDiffers = "column_differs",
        OpeningGone = "opening_gone",
        ErasureList = "erasure_list",
        OpeningClosed = "opening_closed",
        IndexMissing = "index_missing",
        IndexSurplus = "index_surplus",
        IndexDiffers = "index_differs",
        StoredMissing = "stored_missing",
        StoredDiffers = "stored_differs",
        StoredClosed = "stored_closed",
        RegistrationDiffers = "registration_differs",
        RegistrationMissing = "registration_missing",
        RegistrationUnrecorded = "registration_unrecorded",
        SchemaMissing = "schema_missing",
        SchemaSurplus = "schema_surplus",
        SchemaDiffers = "schema_differs",
        DatabaseDamaged = "database_damaged",
    }
}

closed_list! {
    /// What does not make an export wrong, but should be known.
    Remark {
        OwnKeyMissing = "own_key_missing",
        OwnKeyDiffers = "own_key_differs",
        FileBeside = "file_beside",
        LedgerReopened = "ledger_reopened",
        EntriesLost = "entries_lost",
        IndexUntold = "index_untold",
        CaseUntold = "case_untold",
        SchemaUntold = "schema_untold",
    }
}

/// What a finding means, in both languages.
#[must_use]
pub const fn finding(finding: Finding, lang: Lang) -> &'static str {
    let [en, ja] = match finding {
        Finding::CheckpointForm => ["the checkpoint is not a signed checkpoint", "チェックポイントの形式が違います"],
        Finding::CheckpointKey => ["the checkpoint is not signed by the trusted key", "チェックポイントに信頼する鍵の署名がありません"],
        Finding::CheckpointSignature => ["the signature on the checkpoint does not verify", "チェックポイントの署名が正しくありません"],
        Finding::CheckpointOrigin => ["the checkpoint belongs to another ledger", "別の台帳のチェックポイントです"],
        Finding::CosignatureWrong => ["a cosignature of a trusted witness does not verify", "信頼する立会人の署名が正しくありません"],
        Finding::CosignaturesMissing => [
            "fewer of the trusted witnesses cosigned the checkpoint than were asked for",
            "チェックポイントに署名した信頼する立会人が、求められた数に足りません",
        ],
        Finding::LedgerEmpty => {
            ["a ledger without entries: even a new one has its first entry", "記録が一件もありません（新しい台帳にも最初の記録があります）"]
        }
        Finding::FileMissing => ["the file is missing", "ファイルがありません"],
        Finding::FileUnexpected => ["the file does not belong to a tree of this size", "この大きさの木に属さないファイルです"],
        Finding::FileKind => ["not a regular file", "通常のファイルではありません"],
        Finding::FileLength => ["the file has the wrong length", "ファイルの長さが違います"],
        Finding::EntryUnreadable => {
            ["the bundle of entries breaks off or goes on here", "記録の束がここで途切れているか、余分な続きがあります"]
        }
        Finding::EntryChanged => ["the entry is not the one that was signed for", "署名された記録と違います"],
        Finding::TileChanged => ["the hash tile is not what the entries give", "ハッシュのタイルが記録と合いません"],
        Finding::EntryOrTileChanged => [
            "entry and hash tile differ, and neither leads to the signed root",
            "記録とタイルが食い違い、どちらも署名された根に一致しません",
        ],
        Finding::RootMismatch => ["the entries do not lead to the signed root", "記録から計算した根が署名された根と一致しません"],
        Finding::KeptNote => [
            "the kept note is not a checkpoint of this ledger signed by the trusted key",
            "保管していたノートは、信頼する鍵で署名されたこの台帳のチェックポイントではありません",
        ],
        Finding::KeptNewer => [
            "the kept note covers more entries than the export: the export is older, or entries were taken away",
            "保管していたノートのほうが記録が多く、書き出しが古いか、記録が取り除かれています",
        ],
        Finding::HistoryForked => {
            ["the kept note and this export show two different histories", "保管していたノートとこの書き出しの履歴が食い違います"]
        }
        Finding::EntryLength => ["the entry is 4 KiB or longer", "記録が 4 KiB 以上あります"],
        Finding::EntryForm => ["the entry is not a canonical JSON event", "記録が正規形の JSON ではありません"],
        Finding::EntryVersion => ["the entry has another version", "記録の版が違います"],
        Finding::EntryId => ["the id is not a UUID of version 7", "記録の ID が UUIDv7 ではありません"],
        Finding::EntryIdRepeated => ["the id was used before", "記録の ID が重複しています"],
        Finding::EntryTime => ["the time is not UTC with microseconds", "記録の時刻の形式が違います"],
        Finding::EntryTimeOrder => ["the time is not after the one before", "記録の時刻が直前の記録より後になっていません"],
        Finding::FirstEntry => ["the first entry does not open the ledger", "最初の記録が台帳の開始ではありません"],
        Finding::OpeningMissing => ["the line of the opening is missing", "開示情報の行がありません"],
        Finding::OpeningRepeated => {
            ["the line of the opening stands twice or out of order", "開示情報の行が重複しているか、順序が違います"]
        }
        Finding::OpeningBeyond => ["an opening of an entry that is not in the ledger", "台帳にない記録の開示情報です"],
        Finding::OpeningForm => ["the line is not an opening", "開示情報の行の形式が違います"],
        Finding::OpeningUncommitted => ["an opening where the entry commits to none", "記録が約束していない開示情報です"],
        Finding::OpeningMismatch => ["the opening is not the one the entry commits to", "開示情報が記録の約束と一致しません"],
        Finding::ReleaseAfterConsentEnd => {
            ["data was released after the entry that ended its consent", "同意の終了より後に開示されています"]
        }
        Finding::ReleaseAfterAgreementEnd => {
            ["data was released after the entry that suspended or revoked its agreement", "協定の停止・廃止より後に開示されています"]
        }
        Finding::ReleaseToSuspended => {
            ["data was released to a party after the entry that suspended it", "利用停止より後の機関に開示されています"]
        }
        Finding::ReopeningMismatch => {
            ["the record of a break does not fit the tree or the names of the ledger", "断絶の記録が、木または台帳の名前と合いません"]
        }
        Finding::LossConcealed => [
            "the kept note covers entries that were lost, and the record of the break leaves them out",
            "保管していたノートには失われた記録が含まれますが、断絶の記録に書かれていません",
        ],
        Finding::RowMissing => ["the row is missing", "行がありません"],
        Finding::RowBeyond => ["a row that belongs to nothing in the ledger", "台帳のどの記録にも属さない行があります"],
        Finding::RowUnreadable => ["the row holds a value that cannot be read", "行に読み取れない値があります"],
        Finding::ColumnDiffers => ["the column is not what the ledger says", "列の値が台帳の内容と違います"],
        Finding::OpeningGone => [
            "the opening is gone, and no erasure behind its entry names it (if a case was erased while this was exported, export again)",
            "開示情報がなく、それを挙げる消去の記録も後にありません（書き出し中に消去があったときは、もう一度書き出してください）",
        ],
        Finding::ErasureList => [
            "an erasure names openings that are there, or counts them wrongly",
            "消去の記録が、消去されていない開示情報を挙げているか、件数が合いません",
        ],
        Finding::ReleaseAfterErasure => ["data was released after the entry that erased its message", "文書の消去より後に開示されています"],
        Finding::OpeningClosed => ["the opening does not open under its key", "開示情報をその鍵で開けません"],
        Finding::IndexMissing => {
            ["a row of the search index is missing: the entry would not be found", "検索用の索引の行がなく、この記録は検索で見つかりません"]
        }
        Finding::IndexSurplus => ["a row of the search index that the entry does not give", "記録の内容にない行が検索用の索引にあります"],
        Finding::IndexDiffers => [
            "the search index differs somewhere in the 4096 entries from here on",
            "検索用の索引が、ここから 4096 件の記録のどこかで食い違います",
        ],
        Finding::StoredMissing => ["what the entry says was stored is not there", "記録が保存したとするものがありません"],
        Finding::StoredDiffers => ["what was stored is not what the entry says", "保存されているものが記録と一致しません"],
        Finding::StoredClosed => ["what was stored does not open under its key", "保存されているものをその鍵で開けません"],
        Finding::RegistrationDiffers => [
            "the registered party or key is not what its newest entry says: let nobody rely on it, and put the row back from a backup from before it was changed",
            "登録された機関または鍵が、最新の記録の内容と違います。これに頼らせず、書き換え前の控えから行を戻してください",
        ],
        Finding::RegistrationMissing => [
            "a registered party or key is gone from its table: put the row back from a backup",
            "登録された機関または鍵の行が表から消えています。控えから行を戻してください",
        ],
        Finding::RegistrationUnrecorded => [
            "no entry says what this party or key is: an earlier version registered it, or nobody did. Compare it with what the party confirms, then record it with \
             `tsunagi ledger record`, or delete the row if nobody registered it",
            "この機関または鍵の内容を示す記録がありません。以前の版で登録されたか、誰も登録していないものです。機関に確かめて正しければ `tsunagi ledger record` で\
             記録し、誰も登録していなければ行を削除してください",
        ],
        Finding::SchemaMissing => [
            "the database lacks this, which every database of this version has: queries may leave rows out, and what should be refused may pass. Find out who \
             removed it, and have the owner of the tables make it again as the migrations of this version do",
            "この版のデータベースに必ずあるものが欠けています。検索で行が漏れたり、拒まれるはずの変更が通ったりするおそれがあります。誰が消したかを確かめ、\
             表の所有者がこの版の移行手順（migrations）のとおりに作り直してください",
        ],
        Finding::SchemaSurplus => [
            "the database has this, which no version of this program makes: it may make rows appear, change or vanish. Find out who put it there, and have the \
             owner of the tables drop it",
            "この版が作らないものがデータベースにあります。行が現れたり、変わったり、消えたりするおそれがあります。誰が加えたかを確かめ、表の所有者が\
             削除してください",
        ],
        Finding::SchemaDiffers => [
            "this is not as this version makes it: it may make rows appear, change or vanish. Find out who changed it, and have the owner of the tables make it \
             again as the migrations of this version do",
            "この版が作るものと内容が違います。行が現れたり、変わったり、消えたりするおそれがあります。誰が変えたかを確かめ、表の所有者がこの版の\
             移行手順（migrations）のとおりに作り直してください",
        ],
        Finding::DatabaseDamaged => [
            "the check of the database itself (PRAGMA integrity_check) finds this damaged. Stop the gateway and keep the file; an index alone is made again with \
             REINDEX, otherwise restore a backup",
            "データベース自身の検査（PRAGMA integrity_check）で破損が見つかりました。ゲートウェイを止めてファイルを保全してください。索引だけなら REINDEX で\
             作り直し、それ以外は控えから復元してください",
        ],
    };
    lang.of(en, ja)
}

/// What a remark means, in both languages.
#[must_use]
pub const fn remark(remark: Remark, lang: Lang) -> &'static str {
    let [en, ja] = match remark {
        Remark::OwnKeyMissing => {
            ["the export names no key of its own; yours was used", "書き出しに鍵の記載がありません（指定された鍵で検証しました）"]
        }
        Remark::OwnKeyDiffers => [
            "the export names another key than yours; yours was used",
            "書き出しに記載の鍵が指定された鍵と違います（指定された鍵で検証しました）",
        ],
        Remark::IndexUntold => [
            "entries whose search tags cannot be recomputed here (a schema this program does not have, or a problem named above)",
            "検索用の索引を再計算できない記録の数（様式が手元にないか、上に示した問題があるため）",
        ],
        Remark::CaseUntold => [
            "cases whose state and relations cannot be worked out from their messages here (begun by an earlier version, or a problem named above)",
            "文書から状態と関わりを導けない事案の数（以前の版で始まったか、上に示した問題があるため）",
        ],
        Remark::SchemaUntold => [
            "the schema of the database was not compared: its catalogs are closed to the role of the gateway, or the database did not answer",
            "データベースの定義を確かめていません（ゲートウェイのロールでは定義の一覧を読めないか、データベースが応答しませんでした）",
        ],
        Remark::FileBeside => ["a file that was not looked at", "検証の対象外のファイルがあります"],
        Remark::LedgerReopened => [
            "the ledger lost entries here and went on under another name; what was withdrawn or suspended in them may have come back",
            "ここで記録が失われ、台帳は別の名前で続いています。失われた記録にあった撤回や停止は、効力を失っている場合があります",
        ],
        Remark::EntriesLost => [
            "entries that the kept note covers were lost, as the ledger records; keep the note as evidence",
            "保管していたノートに含まれる記録が失われたことが、台帳に記録されています。ノートは証拠として保管してください",
        ],
    };
    lang.of(en, ja)
}

/// What an entry is called, in both languages.
#[must_use]
pub const fn entry_type(entry_type: EntryType, lang: Lang) -> &'static str {
    let [en, ja] = match entry_type {
        EntryType::Submission => ["submission", "送付"],
        EntryType::Release => ["release", "開示"],
        EntryType::List => ["list", "一覧"],
        EntryType::Refusal => ["refusal", "拒否"],
        EntryType::Explain => ["dry run", "試し"],
        EntryType::Consent => ["consent registered", "同意の登録"],
        EntryType::ConsentEnd => ["consent ended", "同意の終了"],
        EntryType::Agreement => ["agreement proposed", "協定の提案"],
        EntryType::AgreementSignature => ["agreement signed", "協定の署名"],
        EntryType::Party => ["party registered", "機関の登録"],
        EntryType::Key => ["key registered", "鍵の登録"],
        EntryType::Acknowledgement => ["acknowledgement", "受領確認"],
        EntryType::Certificate => ["certificate", "連携の証明"],
        EntryType::AuditQuery => ["audit query", "監査の問い合わせ"],
        EntryType::SubjectReport => ["report to the person", "本人への報告"],
        EntryType::Policy => ["policy activated", "方針の切替え"],
        EntryType::Erasure => ["erasure", "消去"],
        EntryType::UnauthSummary => ["unknown callers, summary", "身元不明の接続のまとめ"],
        EntryType::RefusalSummary => ["refusals, summary", "拒否のまとめ"],
        EntryType::ClockSkew => ["clock stepped back", "時計の逆行"],
        EntryType::LedgerOpened => ["ledger opened", "台帳の開始"],
        EntryType::LedgerClosed => ["ledger closed", "台帳の終了"],
    };
    lang.of(en, ja)
}

/// The outcome of a decision, in both languages.
#[must_use]
pub const fn outcome(outcome: Outcome, lang: Lang) -> &'static str {
    match outcome {
        Outcome::Permit => lang.of("permitted", "許可"),
        Outcome::Deny => lang.of("refused", "拒否"),
    }
}

/// Japan's wall clock, in a form that spreadsheets read as a time: the country has one offset and no summer time.
#[must_use]
pub fn japan(time: Timestamp) -> String {
    let text = time.plus_secs(9 * 3600).to_string();
    text.split('.').next().unwrap_or_default().replace('T', " ")
}

/// What verification by order cannot see, said with every result.
#[must_use]
pub const fn order_limits(lang: Lang) -> &'static str {
    lang.of(
        "The order of rights was checked as far as the export tells. Not visible in it: releases whose opening was erased, which part of a consent \
         was narrowed, rights that ended by time, superseded consents and agreements, retired keys, reassigned cases.",
        "権利の順序は、書き出しから分かる範囲で確かめました。消去された開示情報、同意の一部取消の範囲、期限による終了、差し替えられた同意・協定、\
         鍵の失効、担当の変更は、書き出しからは分かりません。",
    )
}

/// Names of the columns of a CSV export, Japanese first: it is opened in a Japanese spreadsheet.
pub const CSV_COLUMNS: [&str; 29] = [
    "番号 (index)",
    "時刻・日本時間 (time, Japan)",
    "時刻・協定世界時 (time, UTC)",
    "種別 (type)",
    "操作 (operation)",
    "行為 (act)",
    "結果 (decision)",
    "理由 (reason)",
    "行為者 (actor)",
    "委任元 (for)",
    "職員 (staff)",
    "相手先 (recipient)",
    "利用目的 (purpose)",
    "提供根拠 (basis)",
    "文書の種類 (kind)",
    "様式 (schema)",
    "協定 (agreement)",
    "案件 (case)",
    "同意 (consent)",
    "文書 (message)",
    "示した項目数 (shown)",
    "示した項目 (disclosed)",
    "示さなかった項目数 (withheld)",
    "示さなかった項目と規則 (withheld, rules)",
    "適用した規則 (rules)",
    "違反 (violations)",
    "件数 (count)",
    "ゲートウェイ (gateway)",
    "記録ID (id)",
];

/// `README.txt` of an export.
pub const EXPORT_README: &str = "\
つなぎ 台帳の書き出し
====================

これは、つなぎの台帳（改ざんを検知できる追記専用の記録）をそのまま書き出したものです。
記録には機関・時刻・協定・項目名が含まれ、開示情報（openings.ndjson）には案件・同意・職員が
含まれます。個人情報として取り扱ってください。

  checkpoint             署名されたチェックポイント（記録の件数と木の根）
  tile/<L>/<N>[.p/<W>]   ハッシュのタイル
  tile/entries/<N>       記録（葉）。各記録は長さ2バイトと RFC 8785 の JSON
  openings.ndjson        記録ごとに1行。{\"index\":番号,\"opened\":{...}|null}。null は開示情報が
                         もともとないか、消去済み
  vkey                   この台帳の検証鍵。ここに書かれた鍵だけを信じてはいけません。
                         別の経路で受け取った鍵と比べてください

検証のしかた（通信は行いません）

  tsunagi audit verify このフォルダー --vkey 検証鍵 [--since 以前に保管したチェックポイント]

つなぎ以外の道具でも検証できます。形式は C2SP の tlog-tiles・tlog-checkpoint・signed-note、
ハッシュは RFC 6962（SHA-256）、署名は Ed25519 です。Go の golang.org/x/mod/sumdb（note, tlog）、
Python の pymerkle や sigstore、JavaScript・Rust の同種のライブラリで読めます。

  1. checkpoint の署名を検証鍵で確かめる
  2. tile/entries の記録から葉のハッシュ SHA-256(0x00 || 記録) を計算し、木の根を求める
  3. 求めた根が checkpoint の根と一致することを確かめる
  4. 記録に open_c があれば、SHA-256(\"tsunagi/opening/v1\" || salt の32バイト ||
     salt を除いた opened の RFC 8785 形) の base64url と一致することを確かめる


Tsunagi: an exported ledger
===========================

This is the ledger of a Tsunagi gateway, an append-only record in which tampering can be detected,
as it is. The entries name bodies, times, agreements and codes; the openings name cases, consents and
staff. Treat all of it as personal data.

  checkpoint             signed checkpoint: number of entries and root of the tree
  tile/<L>/<N>[.p/<W>]   hash tiles
  tile/entries/<N>       the entries (leaves): each its length in two bytes and RFC 8785 JSON
  openings.ndjson        one line per entry, {\"index\":n,\"opened\":{...}|null}; null: the entry has no
                         opening, or it was erased
  vkey                   the verifier key of this ledger. Do not trust the key written here alone:
                         compare it with the one you got another way

How to verify it (no network connection is opened)

  tsunagi audit verify THIS-FOLDER --vkey KEY [--since A-CHECKPOINT-YOU-KEPT]

Other tools verify it as well. The formats are C2SP tlog-tiles, tlog-checkpoint and signed-note,
hashing is RFC 6962 (SHA-256), the signature is Ed25519: Go's golang.org/x/mod/sumdb (note, tlog),
pymerkle or sigstore in Python, and their like in JavaScript and Rust read it.

  1. check the signature on checkpoint with the verifier key
  2. compute the leaf hashes SHA-256(0x00 || entry) of tile/entries, and from them the root
  3. compare it with the root in checkpoint
  4. where an entry has open_c, compare it with the base64url of SHA-256(\"tsunagi/opening/v1\" ||
     the 32 bytes of salt || the RFC 8785 form of opened without salt)
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_and_remark_has_two_languages() {
        let all = Finding::ALL.iter().map(|&f| [finding(f, Lang::En), finding(f, Lang::Ja)]);
        for [en, ja] in all.chain(Remark::ALL.iter().map(|&r| [remark(r, Lang::En), remark(r, Lang::Ja)])) {
            assert!(en.is_ascii() && en.len() > 10, "{en}");
            assert!(ja.chars().any(|c| ('ぁ'..='ん').contains(&c)), "{ja}");
        }
    }

    #[test]
    fn every_entry_type_has_two_languages() {
        for &kind in EntryType::ALL {
            assert!(entry_type(kind, Lang::En).is_ascii() && !entry_type(kind, Lang::Ja).is_ascii(), "{kind}");
        }
    }

    #[test]
    fn japan_is_nine_hours_ahead() {
        assert_eq!(japan("2026-11-18T15:06:40.000001Z".parse().unwrap()), "2026-11-19 00:06:40");
    }

    #[test]
    fn every_column_is_named_in_two_languages() {
        for name in CSV_COLUMNS {
            let (ja, en) = name.split_once(" (").unwrap();
            assert!(!ja.is_ascii() && en.is_ascii() && en.ends_with(')'), "{name}");
        }
    }
}
