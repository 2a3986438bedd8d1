//! How a command can fail, and the exit code that says so.

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::Voice;
use crate::{
    client::{ClientError, Problem, ProblemRow},
    domain::ids::Jti,
    text::{Lang, addon, consent, registration},
};

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
        /// What exactly was wrong.
        violations: Vec<ProblemRow>,
    },
    /// Something signed was not delivered.
    #[error("{id}: {cause}")]
    Parcel {
        /// Its id in the outbox.
        id: Jti,
        /// What it is, in English.
        en: String,
        /// What it is, in Japanese.
        ja: String,
        /// The command that sends it, if it goes on waiting.
        next: Option<String>,
        /// Why.
        cause: Box<Self>,
    },
    /// Several things failed, each for a reason of its own.
    #[error("{} failed", .0.len())]
    Several(Vec<Self>),
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
    /// It was done, and is of no use before the next step. Both languages.
    #[error("{en}")]
    NotServed {
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

    /// What is wrong, in one language: for a refusal with each thing that was wrong, for what waits with the way on.
    pub(super) fn text(&self, lang: Lang) -> String {
        let more = match self {
            Self::Refused { violations, .. } => violations.iter().map(|row| told(row, lang)).collect(),
            Self::Parcel { cause, .. } if matches!(**cause, Self::Refused { .. }) => {
                cause.text(lang).lines().skip(1).map(str::to_owned).collect()
            }
            Self::Several(all) => all.iter().map(|error| error.text(lang)).collect(),
            _ => Vec::new(),
        };
        let waits = match self {
            Self::Parcel { id, next: Some(next), .. } => Some(waits(id, next, lang)),
            Self::Parcel { id, next: None, cause, .. } if matches!(**cause, Self::Refused { .. }) => Some(kept(id, lang)),
            _ => None,
        };
        std::iter::once(self.statement(lang)).chain(more).chain(waits).collect::<Vec<_>>().join("\n")
    }

    /// The one sentence of it.
    fn statement(&self, lang: Lang) -> String {
        match self {
            Self::Usage { en, ja } | Self::Unreachable { en, ja } | Self::Unverified { en, ja } | Self::NotServed { en, ja } => {
                lang.of(en, ja).to_owned()
            }
            Self::Parcel { en, ja, cause, .. } => format!("{}: {}", lang.of(en, ja), cause.statement(lang)),
            Self::Several(all) => {
                lang.of(&format!("{} were not sent", all.len()), &format!("{} 件を送れませんでした", all.len())).to_owned()
            }
            Self::Refused { .. } | Self::Io(..) => self.to_string(),
        }
    }

    /// Its kind and exit code (protocol section 8). Of several, the gravest.
    fn kind(&self) -> (&'static str, u8) {
        match self {
            Self::Refused { .. } => ("refused", 1),
            Self::Usage { .. } => ("usage", 2),
            Self::Unreachable { .. } => ("unreachable", 3),
            Self::Unverified { .. } => ("unverified", 3),
            Self::NotServed { .. } => ("not_served", 4),
            Self::Io(..) => ("io", 3),
            Self::Parcel { cause, .. } => cause.kind(),
            Self::Several(all) => all.iter().map(Self::kind).max_by_key(|(_, code)| *code).unwrap_or(("refused", 1)),
        }
    }

    /// The error as a JSON object.
    fn json(&self, lang: Lang) -> Map<String, Value> {
        let mut object = Map::new();
        let mut add = |name: &str, value: Value| object.insert(name.to_owned(), value);
        add("error", json!(self.kind().0));
        add("detail", json!(self.statement(lang)));
        match self {
            Self::Refused { code, violations, .. } => {
                add("code", json!(code));
                add("violations", json!(violations));
            }
            Self::Parcel { id, next, cause, .. } => {
                add("id", json!(id));
                add("state", json!(if next.is_some() { "waiting" } else { "refused" }));
                if let Some(next) = next {
                    add("next", json!(next));
                }
                if let Self::Refused { code, violations, .. } = &**cause {
                    add("code", json!(code));
                    add("violations", json!(violations));
                }
            }
            _ => {}
        }
        object
    }

    /// Prints the error and gives the exit code (protocol section 8).
    pub(super) fn report(&self, voice: Voice) -> ExitCode {
        if let Self::Several(all) = self {
            for error in all {
                error.print(voice);
            }
        } else {
            self.print(voice);
        }
        ExitCode::from(self.kind().1)
    }

    fn print(&self, voice: Voice) {
        if voice.json {
            eprintln!("{}", Value::Object(self.json(voice.lang)));
        } else {
            eprintln!("tsunagi: {}", self.text(voice.lang));
        }
    }
}

/// One thing that was wrong: where, which rule, and what the rule says if that is written down.
fn told(row: &ProblemRow, lang: Lang) -> String {
    let place = format!("  {}: {}", row.field, row.rule);
    let (field, rule) = (row.field.as_str(), row.rule.as_str());
    let sentence = consent::sentence(field, rule).or_else(|| addon::sentence(field, rule)).or_else(|| registration::sentence(field, rule));
    match sentence {
        Some([en, ja]) => format!("{place} ({})", lang.of(en, ja)),
        None => place,
    }
}

fn waits(id: &Jti, next: &str, lang: Lang) -> String {
    match lang {
        Lang::En => format!("It is signed and waits in the outbox as {id}. It takes effect when it is sent: {next}"),
        Lang::Ja => format!("署名は済み、送信箱に {id} として残っています。送ったときから効きます: {next}"),
    }
}

fn kept(id: &Jti, lang: Lang) -> String {
    match lang {
        Lang::En => format!(
            "It is not sent again by itself. The outbox keeps it as refused: tsunagi outbox list. Send it once more: tsunagi outbox retry {id}. Put it away: tsunagi outbox drop {id}"
        ),
        Lang::Ja => format!(
            "自動では送り直しません。断られたものとして送信箱に残っています（tsunagi outbox list）。もう一度送る: tsunagi outbox retry {id}。片付ける: tsunagi outbox drop {id}"
        ),
    }
}

/// How a call that failed ends a command.
impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(problem) => {
                let Problem { code, title, detail, violations, .. } = *problem;
                Self::Refused { code, title, detail, violations }
            }
            ClientError::Unreachable(error) => Self::Unreachable {
                en: format!("the gateway cannot be reached: {error}"),
                ja: format!("ゲートウェイに接続できません: {error}"),
            },
            ClientError::Outbox(error) => {
                Self::usage(format!("the outbox cannot be used: {error}"), format!("送信箱を使えません: {}", error.ja()))
            }
            // Made here, so the words of the command line are at fault and not an answer.
            ClientError::Compose(error) => Self::usage(format!("nothing was sent: {error}"), format!("何も送っていません: {error}")),
            error @ (ClientError::Seal(_) | ClientError::NoEntropy(_)) => {
                Self::unverified(format!("nothing was sent: {error}"), format!("何も送っていません: {error}"))
            }
            error => Self::unverified(format!("the answer must not be believed: {error}"), format!("応答を信用できません: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> CliError {
        let rows = [("sub", "in_use"), ("family_name", "maxLength")];
        let violations = rows.map(|(field, rule)| ProblemRow { field: field.to_owned(), rule: rule.to_owned(), class: None });
        CliError::Refused {
            code: "state_conflict".to_owned(),
            title: "t".to_owned(),
            detail: "d".to_owned(),
            violations: violations.to_vec(),
        }
    }

    fn parcel(cause: CliError, next: Option<&str>) -> CliError {
        let id = "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4".parse().unwrap();
        CliError::Parcel {
            id, en: "consent X".to_owned(), ja: "同意 X".to_owned(), next: next.map(str::to_owned), cause: Box::new(cause)
        }
    }

    #[test]
    fn a_refusal_says_what_exactly_was_wrong() {
        let text = refused().text(Lang::En);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "state_conflict: t. d");
        assert!(lines[1].starts_with("  sub: in_use (") && lines[2] == "  family_name: maxLength", "{text}");
        let json = Value::Object(refused().json(Lang::Ja));
        assert_eq!(json["violations"], json!([{"field": "sub", "rule": "in_use"}, {"field": "family_name", "rule": "maxLength"}]));
        assert_eq!((&json["error"], &json["code"]), (&json!("refused"), &json!("state_conflict")));
    }

    #[test]
    fn what_was_not_delivered_is_named_and_what_waits_says_how_it_goes_on() {
        let down = || CliError::Unreachable { en: "down".to_owned(), ja: "不通".to_owned() };
        let text = parcel(down(), Some("tsunagi consent send 1")).text(Lang::Ja);
        assert!(text.starts_with("同意 X: 不通\n署名は済み") && text.ends_with("tsunagi consent send 1"), "{text}");
        let json = Value::Object(parcel(down(), Some("again")).json(Lang::En));
        assert_eq!((&json["error"], &json["state"], &json["next"]), (&json!("unreachable"), &json!("waiting"), &json!("again")));
        let text = parcel(refused(), None).text(Lang::En);
        assert!(text.starts_with("consent X: state_conflict: t. d\n  sub: in_use"), "{text}");
        let json = Value::Object(parcel(refused(), None).json(Lang::En));
        assert_eq!((&json["state"], json["violations"].as_array().unwrap().len()), (&json!("refused"), 2));
        assert_eq!(CliError::Several(vec![refused(), down(), refused()]).kind(), ("unreachable", 3));
    }
}
