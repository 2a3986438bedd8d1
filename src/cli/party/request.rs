//! What a unit asks to be registered: a file that it made and the operator reads.

use std::path::Path;

use crate::{
    cli::CliError,
    config,
    domain::{digest::Digest, refusal::Refusal},
    message::objects::PartyRequest,
    startup::Told as _,
};

/// Reads a request; its key must be the one that was told.
pub(in crate::cli) fn read(file: &Path, kid: Option<&Digest>) -> Result<PartyRequest, CliError> {
    let bytes = config::read_file(file)
        .map_err(|error| CliError::usage(error.to_string(), format!("申請を読めません: {}", error.in_japanese())))?;
    let request = PartyRequest::read(&bytes).map_err(|refusal| unusable(file, &refusal))?;
    let found = request.key.jwk.thumbprint();
    if kid.is_some_and(|told| *told != found) {
        let file = file.display();
        return Err(CliError::usage(
            format!(
                "{file}: its key is not the one that was told. Ask the party itself, on another way than the file came, what \
                 `tsunagi party new` printed. If that is what you typed, somebody exchanged the file."
            ),
            format!(
                "{file}: 鍵が、伝えられたものと違います。`tsunagi party new` の表示を、ファイルとは別の手段で本人に確かめてください。入力したとおりであれば、ファイルがすり替えられています。"
            ),
        ));
    }
    Ok(request)
}

fn unusable(file: &Path, refusal: &Refusal) -> CliError {
    let file = file.display();
    let rules: Vec<String> = refusal.violations.iter().map(|row| format!("{}: {}", row.field, row.rule)).collect();
    let rules = rules.join(", ");
    CliError::usage(
        format!("{file}: not a request that `tsunagi party new` makes ({rules})"),
        format!("{file}: `tsunagi party new` が作る申請ではありません（{rules}）"),
    )
}

/// A thumbprint as it is told: base64url of SHA-256 (RFC 7638). The error says what one looks like.
pub(in crate::cli) fn kid(text: &str) -> Result<Digest, String> {
    text.parse().map_err(|_| "43 * [A-Za-z0-9_-]".to_owned())
}
