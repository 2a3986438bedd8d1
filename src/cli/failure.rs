//! How a command can fail, and the exit code that says so.

use std::process::ExitCode;

use super::Voice;
use crate::{client::ClientError, text::Lang};

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The gateway refused: its problem document's code, title and detail.
    #[error("{code}: {title}. {detail}")]
    Refused {
        /// Code.
        code: String,
        /// Title, in the language asked for.
        title: String,
        /// Next step.
        detail: String,
    },
    /// The command line or a file it names is not usable. Both languages.
    #[error("{en}")]
    Usage {
        /// English.
        en: String,
        /// Japanese.
        ja: String,
    },
    /// The gateway cannot be reached. Both languages.
    #[error("{en}")]
    Unreachable {
        /// English.
        en: String,
        /// Japanese.
        ja: String,
    },
    /// What was received or read does not verify. Both languages.
    #[error("{en}")]
    Unverified {
        /// English.
        en: String,
        /// Japanese.
        ja: String,
    },
    /// A file or the system failed; names what was being done.
    #[error("{0}: {1}")]
    Io(String, #[source] std::io::Error),
}

impl CliError {
    /// A usage error in both languages.
    pub(crate) fn usage(en: impl Into<String>, ja: impl Into<String>) -> Self {
        Self::Usage { en: en.into(), ja: ja.into() }
    }

    /// A verification failure in both languages.
    pub(crate) fn unverified(en: impl Into<String>, ja: impl Into<String>) -> Self {
        Self::Unverified { en: en.into(), ja: ja.into() }
    }

    /// What is wrong, in one language.
    pub(super) fn text(&self, lang: Lang) -> String {
        match self {
            Self::Usage { en, ja } | Self::Unreachable { en, ja } | Self::Unverified { en, ja } => lang.of(en, ja).to_owned(),
            Self::Refused { .. } | Self::Io(..) => self.to_string(),
        }
    }

    /// Prints the error and gives the exit code (protocol section 8).
    pub(super) fn report(&self, voice: Voice) -> ExitCode {
        let text = self.text(voice.lang);
        let (kind, code) = match self {
            Self::Refused { .. } => ("refused", 1),
            Self::Usage { .. } => ("usage", 2),
            Self::Unreachable { .. } => ("unreachable", 3),
            Self::Unverified { .. } => ("unverified", 3),
            Self::Io(..) => ("io", 3),
        };
        if voice.json {
            eprintln!("{}", serde_json::json!({"error": kind, "detail": text}));
        } else {
            eprintln!("tsunagi: {text}");
        }
        ExitCode::from(code)
    }
}

/// How a call that failed ends a command.
impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(problem) => Self::Refused { code: problem.code, title: problem.title, detail: problem.detail },
            ClientError::Unreachable(error) => Self::Unreachable {
                en: format!("the gateway cannot be reached: {error}"),
                ja: format!("ゲートウェイに接続できません: {error}"),
            },
            ClientError::Outbox(error) => {
                Self::usage(format!("the outbox cannot be used: {error}"), format!("送信箱を使えません: {error}"))
            }
            error => Self::unverified(format!("the answer must not be believed: {error}"), format!("応答を信用できません: {error}")),
        }
    }
}
