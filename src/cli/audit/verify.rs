//! `tsunagi audit verify`: an exported folder against a key of one's own. Opens no network connection.

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Value, json};

use super::say;
use crate::{
    cli::{CliError, Voice},
    ledger::verify::{Anchors, Break, CONSENT_BASES, Folder, Problem, Report, verify},
    text::{Lang, audit},
    tlog::{Checkpoint, CosignerKey, Quorum, VerifierKey},
};

/// What to verify, and what to trust.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Folder of the export.
    dir: PathBuf,
    /// The ledger's verifier key as text, or a file with it. Have it from somewhere else than the export.
    #[arg(long, value_name = "TEXT|FILE")]
    vkey: String,
    /// Verifier key of a witness whose cosignature on the checkpoint counts, as text or a file with it; once for each witness.
    #[arg(long, value_name = "TEXT|FILE")]
    witness: Vec<String>,
    /// How many of these witnesses must have cosigned. All of them unless given.
    #[arg(long, value_name = "N", requires = "witness")]
    quorum: Option<NonZeroUsize>,
    /// A checkpoint that was kept earlier: this export must continue it.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
}

pub(super) async fn run(args: VerifyArgs, voice: Voice) -> Result<(), CliError> {
    let key = key(&args.vkey)?;
    let quorum = quorum(&args.witness, args.quorum)?;
    let kept = args.since.as_deref().map(read_text).transpose()?;
    if !args.dir.is_dir() {
        return Err(not_usable(&args.dir));
    }
    let dir = args.dir.clone();
    let report = check(dir, key, kept, quorum).await?;
    let told = show(&report, About::Export, voice);
    verdict(&report, About::Export)?;
    told
}

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Export,
    Database,
}

impl About {
    const fn headline(self, holds: bool, lang: Lang) -> &'static str {
        match (self, holds) {
            (Self::Export, true) => lang.of("The export verifies.", "検証できました。"),
            (Self::Export, false) => lang.of("The export does NOT verify.", "検証できませんでした。"),
            (Self::Database, true) => lang.of("The database fits its ledger.", "データベースは台帳と一致します。"),
            (Self::Database, false) => lang.of("The database does NOT fit its ledger.", "データベースが台帳と一致しません。"),
        }
    }
}

/// Verifies a folder away from the threads that serve connections.
pub(super) async fn check(dir: PathBuf, key: VerifierKey, kept: Option<String>, quorum: Option<Quorum>) -> Result<Report, CliError> {
    let name = dir.display().to_string();
    let work = tokio::task::spawn_blocking(move || {
        let anchors = Anchors { key: &key, kept: kept.as_deref(), quorum: quorum.as_ref(), consent_bases: CONSENT_BASES };
        verify(&Folder::new(&dir), &anchors)
    });
    work.await.map_err(io::Error::other).and_then(|report| report).map_err(|error| CliError::Io(name, error))
}

/// The error that says that something is wrong.
pub(super) fn verdict(report: &Report, about: About) -> Result<(), CliError> {
    if report.holds() {
        return Ok(());
    }
    let count = report.further.saturating_add(u64::try_from(report.problems.len()).unwrap_or(u64::MAX));
    let (en, ja) = match report.first_bad() {
        Some(index) => (format!(", first bad index {index}"), format!("、最初に問題のある番号は {index}")),
        None => (String::new(), String::new()),
    };
    let (what_en, what_ja) = match about {
        About::Export => ("the export does not verify", "検証できませんでした"),
        About::Database => ("the database does not fit its ledger", "データベースが台帳と一致しません"),
    };
    Err(CliError::unverified(format!("{what_en}: problems: {count}{en}"), format!("{what_ja}（問題 {count} 件{ja}）")))
}

pub(super) fn show(report: &Report, about: About, voice: Voice) -> Result<(), CliError> {
    if voice.json {
        return say(as_json(report));
    }
    lines(report, about, voice.lang).iter().try_for_each(say)
}

fn as_json(report: &Report) -> Value {
    let problem =
        |p: &Problem| json!({"finding": p.finding, "index": p.index, "path": p.path, "detail": audit::finding(p.finding, Lang::En)});
    let types: serde_json::Map<_, _> = report.types.iter().map(|(kind, count)| (kind.to_string(), json!(count))).collect();
    json!({
        "holds": report.holds(),
        "origin": report.checkpoint.as_ref().map(Checkpoint::origin),
        "size": report.checkpoint.as_ref().map(Checkpoint::size),
        "root": report.checkpoint.as_ref().map(|head| head.root().to_string()),
        "first_time": report.span.map(|(first, _)| first),
        "last_time": report.span.map(|(_, last)| last),
        "types": types,
        "openings": {"opened": report.openings.opened, "erased": report.openings.erased, "none": report.openings.none},
        "order": {
            "releases": report.order.releases, "judged": report.order.judged, "unopened": report.order.unopened, "undecided": report.order.undecided,
        },
        "breaks": report.breaks.iter().map(|broke| json!({"index": broke.index, "reopens": broke.reopening})).collect::<Vec<_>>(),
        "continues": report.continues,
        "cosignatures": report.cosignatures,
        "first_bad": report.first_bad(),
        "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
        "further": report.further,
        "remarks": report.remarks.iter().map(|(remark, path)| json!({"remark": remark, "path": path})).collect::<Vec<_>>(),
    })
}

fn lines(report: &Report, about: About, lang: Lang) -> Vec<String> {
    let mut lines = vec![about.headline(report.holds(), lang).to_owned()];
    let mut add = |en, ja, value: String| lines.push(format!("  {}: {value}", lang.of(en, ja)));
    for Problem { finding, index, path } in report.problems.iter().take(SHOWN) {
        let place = [index.map(|index| format!("{index}: ")), path.as_ref().map(|path| format!("{}: ", path.escape_debug()))];
        let place: String = place.into_iter().flatten().collect();
        add("problem", "問題", format!("{place}{} [{finding}]", audit::finding(*finding, lang)));
    }
    let rest = u64::try_from(report.problems.len().saturating_sub(SHOWN)).unwrap_or(u64::MAX).saturating_add(report.further);
    if rest > 0 {
        add("problem", "問題", format!("+{rest}"));
    }
    for (remark, path) in &report.remarks {
        let path = path.as_ref().map(|path| format!(": {}", path.escape_debug())).unwrap_or_default();
        add("remark", "注意", format!("{}{path}", audit::remark(*remark, lang)));
    }
    if let Some(head) = &report.checkpoint {
        add("ledger", "台帳", head.origin().to_owned());
        add("entries", "記録", head.size().to_string());
        add("root", "木の根", head.root().to_string());
    }
    for broke in &report.breaks {
        add("break", "断絶", broken(broke, lang));
    }
    if let Some((first, last)) = report.span {
        add("from, to", "期間", format!("{} – {} ({})", audit::japan(first), audit::japan(last), lang.of("Japan", "日本時間")));
    }
    let types: Vec<_> = report.types.iter().map(|(kind, count)| format!("{} {count}", audit::entry_type(*kind, lang))).collect();
    add("by type", "種別", types.join(lang.of(", ", "、")));
    let openings = &report.openings;
    let (opened, erased, none) = (openings.opened, openings.erased, openings.none);
    add(
        "openings",
        "開示情報",
        match lang {
            Lang::En => format!("{opened} fit, {erased} erased, {none} entries without"),
            Lang::Ja => format!("一致 {opened}、消去済み {erased}、もともとなし {none}"),
        },
    );
    let order = &report.order;
    let (releases, judged, unopened, undecided) = (order.releases, order.judged, order.unopened, order.undecided);
    add(
        "order of rights",
        "権利の順序",
        match lang {
            Lang::En => format!("{releases} releases: {judged} checked, {undecided} cannot be told, {unopened} erased"),
            Lang::Ja => format!("開示 {releases} 件のうち、確認済み {judged}、判断できないもの {undecided}、消去済み {unopened}"),
        },
    );
    if let Some(size) = report.continues {
        add(
            "continues",
            "連続性",
            match lang {
                Lang::En => format!("the checkpoint you kept, of {size} entries"),
                Lang::Ja => format!("保管されていたチェックポイント（{size} 件）の続きです"),
            },
        );
    }
    if let Some(count) = report.cosignatures {
        add("cosignatures", "立会人の署名", count.to_string());
    }
    lines.push(format!("  {}", audit::order_limits(lang)));
    lines
}

/// What an entry says about a break.
fn broken(broke: &Break, lang: Lang) -> String {
    let Break { index, reopening } = broke;
    let (from, to, survived) = (&reopening.from, &reopening.origin, reopening.survived.size);
    match (lang, reopening.known.map(|known| known.size)) {
        (Lang::En, Some(known)) => format!("entry {index}: {from} had shown {known} entries, {survived} survived; since then {to}"),
        (Lang::En, None) => format!("entry {index}: {survived} entries of {from} survived, how many it had is not known; since then {to}"),
        (Lang::Ja, Some(known)) => format!("記録 {index}: {from} は {known} 件まで示し、{survived} 件が残りました。以後の名前は {to} です"),
        (Lang::Ja, None) => format!("記録 {index}: {from} のうち {survived} 件が残りました（元の件数は不明）。以後の名前は {to} です"),
    }
}

/// A key given as text, or in a file.
fn key(given: &str) -> Result<VerifierKey, CliError> {
    if let Ok(key) = given.parse() {
        return Ok(key);
    }
    let text = read_text(Path::new(given))?;
    text.trim_end().parse().map_err(|_| {
        CliError::usage(
            "--vkey is neither a verifier key (NAME+ID+KEY) nor a file with one",
            "--vkey は検証鍵（名前+ID+鍵）でも、それを収めたファイルでもありません",
        )
    })
}

/// The witnesses whose cosignatures count, and how many are enough; none: nobody was named.
fn quorum(given: &[String], needed: Option<NonZeroUsize>) -> Result<Option<Quorum>, CliError> {
    if given.is_empty() {
        return Ok(None);
    }
    let wrong = || {
        CliError::usage(
            "--witness is neither a cosigner key (NAME+ID+KEY) nor a file with one",
            "--witness は立会人の検証鍵（名前+ID+鍵）でも、それを収めたファイルでもありません",
        )
    };
    let read = |text: &String| match text.parse() {
        Ok(key) => Ok(key),
        Err(_) => read_text(Path::new(text))?.trim_end().parse().map_err(|_| wrong()),
    };
    let keys = given.iter().map(read).collect::<Result<Vec<CosignerKey>, CliError>>()?;
    let needed = needed.map_or(keys.len(), NonZeroUsize::get);
    Quorum::new(keys, needed).map(Some).map_err(|_| {
        CliError::usage(
            "each --witness must have a key of its own, and --quorum may ask for no more than there are",
            "--witness には互いに異なる鍵を指定し、--quorum はその数を超えないようにしてください",
        )
    })
}

pub(super) fn read_text(path: &Path) -> Result<String, CliError> {
    fs::read_to_string(path).map_err(|_| not_usable(path))
}

fn not_usable(path: &Path) -> CliError {
    let path = path.display();
    CliError::usage(format!("{path} cannot be read"), format!("{path} を読み取れません"))
}

/// Problems that a person is shown one by one.
const SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::{ledger::export::FolderWriter, text::audit::Finding, tlog::NoteSigner};

    /// An export of one entry. Gives its key.
    fn export(folder: &Path) -> VerifierKey {
        let signer = NoteSigner::from_seed("gw.example/ledger".parse().unwrap(), &Zeroizing::new([3; 32])).unwrap();
        let entry = json!({
            "v": 1, "id": "019a9b3c-0000-7000-8000-000000000001", "type": "ledger_opened", "time": "2026-11-18T11:06:40.000001Z",
            "gateway": {"node": "gw-1", "version": "0.1.0"}, "operation": "gateway", "decision": "permit"
        });
        let mut writer = FolderWriter::create(folder).unwrap();
        writer.push(&serde_json_canonicalizer::to_vec(&entry).unwrap(), &Value::Null).unwrap();
        let head = Checkpoint::new("gw.example/ledger", 1, writer.root()).unwrap();
        writer.finish(&head.sign(&signer).unwrap(), signer.verifier()).unwrap();
        signer.verifier().clone()
    }

    const QUIET: Voice = Voice { lang: Lang::En, json: true, terminal: false };

    async fn outcome(dir: &Path, vkey: String, since: Option<PathBuf>) -> Result<(), CliError> {
        run(VerifyArgs { dir: dir.to_owned(), vkey, witness: Vec::new(), quorum: None, since }, QUIET).await
    }

    #[tokio::test]
    async fn an_export_verifies_with_the_key_as_text_or_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("export");
        let key = export(&dir);
        assert!(outcome(&dir, key.to_string(), None).await.is_ok());
        let file = dir.join("vkey").display().to_string();
        assert!(outcome(&dir, file.clone(), Some(dir.join("checkpoint"))).await.is_ok());
        let other = NoteSigner::from_seed("gw.example/ledger".parse().unwrap(), &Zeroizing::new([4; 32])).unwrap();
        assert!(matches!(outcome(&dir, other.verifier().to_string(), None).await, Err(CliError::Unverified { .. })));
        fs::write(dir.join("tile/0/000.p/1"), [0; 32]).unwrap();
        assert!(matches!(outcome(&dir, file, None).await, Err(CliError::Unverified { en, .. }) if en.ends_with("first bad index 0")));
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_a_usage_error() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("export");
        let key = export(&dir).to_string();
        for (dir, vkey, since) in [
            (folder.path().join("none"), key.clone(), None),
            (dir.join("vkey"), key.clone(), None),
            (dir.clone(), folder.path().join("none").display().to_string(), None),
            (dir.clone(), dir.join("checkpoint").display().to_string(), None),
            (dir.clone(), key, Some(folder.path().join("none"))),
        ] {
            assert!(matches!(outcome(&dir, vkey, since).await, Err(CliError::Usage { .. })));
        }
    }

    #[tokio::test]
    async fn the_report_is_told_in_both_languages_and_as_json() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("export");
        let key = export(&dir);
        let report = check(dir.clone(), key.clone(), None, None).await.unwrap();
        assert!(lines(&report, About::Export, Lang::En).iter().any(|line| line.contains("entries: 1")));
        assert!(lines(&report, About::Export, Lang::Ja).iter().any(|line| line.contains("検証できました")));
        assert_eq!((as_json(&report)["holds"].clone(), as_json(&report)["types"]["ledger_opened"].clone()), (json!(true), json!(1)));
        fs::write(dir.join("tile/\u{1b}[2J"), b"").unwrap();
        let report = check(dir, key, None, None).await.unwrap();
        assert!(report.has(Finding::FileUnexpected));
        assert!(lines(&report, About::Export, Lang::En).iter().all(|line| !line.chars().any(char::is_control)));
        assert_eq!(as_json(&report)["problems"][0]["finding"], json!("file_unexpected"));
    }
}
