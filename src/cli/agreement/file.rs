//! Drafts in files: TOML as the template gives it, or JSON. The canonical document (RFC 8785) is what is signed.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::template::PLACEHOLDER;
use crate::{
    cli::{CliError, Voice, acting::say},
    config,
    domain::{agreement::Agreement, refusal::Violation},
    message::{base64url, json as strict, schema::SchemaSet, sha256},
    text::Lang,
};

/// What becomes of a draft.
#[derive(Debug, Args)]
pub(super) struct DraftArgs {
    /// The filled-in template, or a JSON file.
    file: PathBuf,
    /// Where the document goes. Never over an existing file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(args: &DraftArgs, voice: Voice) -> Result<(), CliError> {
    let draft = Draft::read(&args.file)?;
    let document = draft.document(voice.lang)?;
    write_new(&args.out, &document.bytes)?;
    let (agreement, digest) = (&document.agreement, base64url::encode(sha256(&document.bytes).0));
    if voice.json {
        return say(json!({"id": agreement.id, "ver": agreement.ver, "sha256": digest, "file": args.out}));
    }
    let (id, ver, out) = (&agreement.id, agreement.ver, args.out.display());
    match voice.lang {
        Lang::En => say(format!(
            "{out}: {id} version {ver}\nSHA-256 {digest}\nNext: tsunagi agreement lint {out}, then tsunagi agreement sign {out}"
        )),
        Lang::Ja => {
            say(format!("{out}: {id} 第{ver}版\nSHA-256 {digest}\n次は: tsunagi agreement lint {out}、その後 tsunagi agreement sign {out}"))
        }
    }
}

/// A draft as it was written.
pub(super) struct Draft {
    file: PathBuf,
    pub(super) value: Value,
    /// The file's own bytes, when it is the canonical document already.
    canonical: Option<Vec<u8>>,
}

/// A document that has the form of an agreement.
pub(super) struct Document {
    pub(super) agreement: Agreement,
    pub(super) bytes: Vec<u8>,
}

impl Draft {
    /// Reads a file. What is neither TOML nor strict JSON is refused with the line.
    pub(super) fn read(file: &Path) -> Result<Self, CliError> {
        let bytes =
            config::read_file(file).map_err(|error| CliError::usage(error.to_string(), format!("ファイルを読めません: {error}")))?;
        let wrong =
            |why: String| CliError::usage(format!("{}: {why}", file.display()), format!("{}: 読み取れません: {why}", file.display()));
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong("not UTF-8 text".to_owned()))?;
        let value = if text.trim_start().starts_with('{') {
            strict::parse(text.trim().as_bytes()).map_err(|error| wrong(error.to_string()))?
        } else {
            toml::from_str(text).map_err(|error| wrong(error.to_string()))?
        };
        let canonical = strict::canonical(&value).ok().filter(|canonical| *canonical == bytes);
        Ok(Self { file: file.to_owned(), value, canonical })
    }

    /// What the schema finds wrong.
    pub(super) fn faults(&self) -> Result<Vec<Violation>, CliError> {
        let schemas = SchemaSet::builtin()
            .map_err(|_| CliError::unverified("this program's schemas cannot be read", "本プログラムの様式を読めません"))?;
        Ok(schemas.check_agreement(&self.value))
    }

    /// The canonical document.
    pub(super) fn document(&self, lang: Lang) -> Result<Document, CliError> {
        let faults = self.faults()?;
        let listed: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.field, fault.rule)).collect();
        let wrong = |why: &str| {
            let file = self.file.display();
            CliError::usage(
                format!("{file} has not the form of an agreement: {why}. See: tsunagi agreement lint {file}"),
                format!("{file} は協定の様式に合いません: {why}。詳しくは: tsunagi agreement lint {file}"),
            )
        };
        if !listed.is_empty() {
            return Err(wrong(&listed.join(lang.of(", ", "、"))));
        }
        let agreement = serde_json::from_value(self.value.clone()).map_err(|error| wrong(&error.to_string()))?;
        let bytes = strict::canonical(&self.value).map_err(|error| wrong(&error.to_string()))?;
        // It must read back as the gateway reads it.
        strict::parse(&bytes).map_err(|error| wrong(&error.to_string()))?;
        Ok(Document { agreement, bytes })
    }

    /// The document that the file is. A draft that is not canonical yet is no document: what is signed is shown to the signer first.
    pub(super) fn signable(&self, lang: Lang) -> Result<Document, CliError> {
        if self.canonical.is_none() {
            let file = self.file.display();
            return Err(CliError::usage(
                format!("{file} is a draft, not a document. Make one first: tsunagi agreement draft {file} --out FILE"),
                format!("{file} は下書きで、署名する文書ではありません。先に: tsunagi agreement draft {file} --out FILE"),
            ));
        }
        if self.value.to_string().contains(PLACEHOLDER) {
            let file = self.file.display();
            return Err(CliError::usage(
                format!(
                    "{file} still holds the template's placeholder {PLACEHOLDER}: it must not be signed as it is. See: tsunagi agreement lint {file}"
                ),
                format!(
                    "{file} にひな形の{PLACEHOLDER}が残っています。このまま署名してはいけません。詳しくは: tsunagi agreement lint {file}"
                ),
            ));
        }
        self.document(lang)
    }
}

/// Writes a file that was not there.
pub(super) fn write_new(file: &Path, bytes: &[u8]) -> Result<(), CliError> {
    use std::io::Write as _;
    let failed = |error| CliError::Io(file.display().to_string(), error);
    let mut new = std::fs::OpenOptions::new().write(true).create_new(true).open(file).map_err(failed)?;
    new.write_all(bytes).and_then(|()| new.sync_all()).map_err(failed)
}
