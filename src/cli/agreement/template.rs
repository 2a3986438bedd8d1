//! `tsunagi agreement template`: a draft with comments in both languages.

use std::path::PathBuf;

use clap::Args;

use super::file::write_new;
use crate::cli::{CliError, acting::say};

/// Where the template goes.
#[derive(Debug, Args)]
pub(super) struct TemplateArgs {
    /// Write it to a new file instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &TemplateArgs) -> Result<(), CliError> {
    match &args.out {
        Some(file) => write_new(file, TEMPLATE.as_bytes()),
        None => say(TEMPLATE.trim_end()),
    }
}

/// What must be replaced begins with this.
pub(super) const PLACEHOLDER: &str = "【要記入】";

const TEMPLATE: &str = include_str!("template.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_has_the_form_of_an_agreement_and_says_what_to_fill_in() {
        let value = toml::from_str(TEMPLATE).unwrap();
        let schemas = crate::message::schema::SchemaSet::builtin().unwrap();
        assert_eq!(schemas.check_agreement(&value), []);
        assert!(serde_json::from_value::<crate::domain::agreement::Agreement>(value).is_ok());
        assert!(TEMPLATE.matches(PLACEHOLDER).count() > 3);
    }
}
