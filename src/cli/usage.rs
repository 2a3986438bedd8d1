//! What a command line that cannot be understood, and the help, say in Japanese. In English they are clap's own words.
//!
//! Promises: exit codes stay clap's (2 for a command line that cannot be understood, 0 for help that was asked for).

use std::{ffi::OsString, process::ExitCode};

use clap::{
    Arg, ArgAction, ArgMatches, Command, CommandFactory as _, FromArgMatches as _,
    error::{ContextKind, ContextValue, Error, ErrorKind},
};

use super::{Cli, language, locale};
use crate::text::{Lang, help};

/// The command line; or what to say about it, said, with the exit code.
pub(super) fn parse() -> Result<(Cli, Lang), ExitCode> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let lang = asked(&words).unwrap_or_else(locale);
    let command = match lang {
        Lang::En => Cli::command(),
        Lang::Ja => japanese(Cli::command()),
    };
    match command.try_get_matches_from(words).and_then(|matches: ArgMatches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => Ok((cli, lang)),
        Err(error) => Err(tell(&error, lang)),
    }
}

/// The language that the words ask for: they may be wrong in every other way.
fn asked(words: &[OsString]) -> Option<Lang> {
    let mut words = words.iter().map(|word| word.to_string_lossy()).take_while(|word| word != "--");
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--lang=") {
            Some(value) => value.to_owned(),
            None if word == "--lang" => words.next()?.into_owned(),
            None => continue,
        };
        return language(&value).ok();
    }
    None
}

fn tell(error: &Error, lang: Lang) -> ExitCode {
    let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    let said = match (lang, error.kind()) {
        (Lang::En, _) => error.print(),
        (Lang::Ja, ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) => {
            let text = error.render().to_string().replace(HELP_COMMAND, "この案内、または後に続けたコマンドの案内を表示する");
            if error.use_stderr() {
                std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes())
            } else {
                std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())
            }
        }
        (Lang::Ja, _) => std::io::Write::write_all(&mut std::io::stderr(), in_japanese(error).as_bytes()),
    };
    // Whoever reads neither help nor errors is not told so either; the exit code is what it is.
    if said.is_err() { ExitCode::from(2) } else { code }
}

/// The whole tree with headings and texts in Japanese.
fn japanese(command: Command) -> Command {
    let template = template(&command);
    let about = command.get_about().map(|text| help::ja(&text.to_string()));
    let long = command.get_long_about().map(|text| help::ja(&text.to_string()));
    let mut command = command
        .help_template(template)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .mut_args(|arg| {
            let (text, long) =
                (arg.get_help().map(|text| help::ja(&text.to_string())), arg.get_long_help().map(|text| help::ja(&text.to_string())));
            let arg = match text {
                Some(text) => arg.help(text),
                None => arg,
            };
            match long {
                Some(text) => arg.long_help(text),
                None => arg,
            }
        })
        .arg(Arg::new("help").short('h').long("help").action(ArgAction::Help).help("この案内を表示する"))
        .arg(Arg::new("version").short('V').long("version").action(ArgAction::Version).help("版を表示する"));
    if let Some(text) = about {
        command = command.about(text);
    }
    if let Some(text) = long {
        command = command.long_about(text);
    }
    command.mut_subcommands(japanese)
}

/// Headings as clap has them, where there is something below them.
fn template(command: &Command) -> String {
    let mut template = "{about-with-newline}\n使い方: {usage}".to_owned();
    if command.has_subcommands() {
        template.push_str("\n\nコマンド:\n{subcommands}");
    }
    if command.get_positionals().next().is_some() {
        template.push_str("\n\n引数:\n{positionals}");
    }
    template.push_str("\n\nオプション:\n{options}");
    template
}

/// What is wrong with a command line, how it goes, and where to read on.
fn in_japanese(error: &Error) -> String {
    let of = |kind| error.get(kind).map(plain).unwrap_or_default();
    let (arg, value) = (of(ContextKind::InvalidArg), of(ContextKind::InvalidValue));
    let mut lines = vec![match error.kind() {
        ErrorKind::MissingRequiredArgument => format!("必要な引数がありません: {arg}"),
        ErrorKind::MissingSubcommand => format!("コマンドを指定してください: {}", of(ContextKind::InvalidSubcommand)),
        ErrorKind::UnknownArgument => format!("{arg} という引数はありません"),
        ErrorKind::InvalidSubcommand => format!("{} というコマンドはありません", of(ContextKind::InvalidSubcommand)),
        ErrorKind::InvalidValue if value.is_empty() => format!("{arg} に値がありません"),
        ErrorKind::InvalidValue => format!("{arg} に {value} は使えません"),
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map(|why| format!("（{why}）")).unwrap_or_default();
            format!("{arg} の値 {value} が正しくありません{why}")
        }
        ErrorKind::TooManyValues => format!("{arg} の値が多すぎます: {value}"),
        ErrorKind::TooFewValues => format!("{arg} の値が足りません（{} 個以上）", of(ContextKind::MinValues)),
        ErrorKind::WrongNumberOfValues => {
            format!("{arg} の値は {} 個ですが、{} 個あります", of(ContextKind::ExpectedNumValues), of(ContextKind::ActualNumValues))
        }
        ErrorKind::NoEquals => format!("{arg} には = を付けて値を書いてください"),
        ErrorKind::ArgumentConflict => match of(ContextKind::PriorArg) {
            prior if prior.is_empty() => format!("{arg} はここでは使えません"),
            prior if prior == arg => format!("{arg} は一度しか使えません"),
            prior => format!("{arg} と {prior} は一緒に使えません"),
        },
        ErrorKind::InvalidUtf8 => "UTF-8 でない文字があります".to_owned(),
        _ => format!("コマンドを読み取れません（{}）", error.kind()),
    }];
    let mut hint = |kind, said: &str| {
        let found = of(kind);
        if !found.is_empty() {
            lines.push(format!("  {said}: {found}"));
        }
    };
    hint(ContextKind::ValidValue, "使える値");
    hint(ContextKind::ValidSubcommand, "使えるコマンド");
    hint(ContextKind::SuggestedArg, "似た引数");
    hint(ContextKind::SuggestedSubcommand, "似たコマンド");
    hint(ContextKind::SuggestedValue, "似た値");
    let usage = of(ContextKind::Usage);
    if let Some(usage) = usage.strip_prefix("Usage:") {
        lines.push(format!("使い方:{usage}"));
    }
    lines.push("次の手順: 直してもう一度実行してください。書き方は --help で見られます".to_owned());
    format!("tsunagi: {}\n", lines.join("\n"))
}

fn plain(value: &ContextValue) -> String {
    match value {
        ContextValue::Strings(all) => all.join("、"),
        ContextValue::StyledStrs(all) => all.iter().map(ToString::to_string).collect::<Vec<_>>().join("、"),
        one => one.to_string(),
    }
}

/// How clap describes its own `help` command, which it lets nobody name otherwise.
const HELP_COMMAND: &str = "Print this message or the help of the given subcommand(s)";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every text of the help of a command and of those below it.
    fn texts(command: &Command, into: &mut BTreeSet<String>) {
        let own = [command.get_about(), command.get_long_about()].into_iter();
        let args = command.get_arguments().flat_map(|arg| [arg.get_help(), arg.get_long_help()]);
        into.extend(own.chain(args).flatten().map(|text| text.to_string().trim_end_matches('.').to_owned()));
        command.get_subcommands().for_each(|below| texts(below, into));
    }

    #[test]
    fn every_text_of_the_help_has_its_japanese_in_help_ja_txt() {
        let mut english = BTreeSet::new();
        texts(&Cli::command(), &mut english);
        let missing: Vec<_> = english.iter().filter(|text| !help::knows(text)).collect();
        assert!(missing.is_empty(), "add to src/text/help.ja.txt, each with its Japanese below: {missing:#?}");
        let stale: Vec<_> = help::known().filter(|known| !english.contains(*known)).collect();
        assert!(stale.is_empty(), "nothing says this any more: {stale:#?}");
        let mut told = BTreeSet::new();
        texts(&japanese(Cli::command()), &mut told);
        assert!(told.iter().all(|text| !text.is_ascii()), "{told:#?}");
    }

    #[test]
    fn the_japanese_tree_contradicts_itself_as_little_as_the_english_one() {
        japanese(Cli::command()).debug_assert();
    }

    fn refused(line: &str) -> Error {
        japanese(Cli::command()).try_get_matches_from(line.split_whitespace()).unwrap_err()
    }

    #[test]
    fn what_cannot_be_understood_is_told_in_japanese_with_a_next_step() {
        for (line, words) in [
            ("tsunagi message list --as x", &["必要な引数がありません: --case <ID>", "使い方: tsunagi message list"][..]),
            ("tsunagi mesage", &["mesage というコマンドはありません", "似たコマンド: ", "message"]),
            ("tsunagi outbox list --al", &["--al という引数はありません", "似た引数: --all"]),
            ("tsunagi outbox drop", &["必要な引数がありません", "<ID>"]),
            ("tsunagi --lang fr case list --as x", &["--lang <LANG> の値 fr が正しくありません（en | ja）"]),
            ("tsunagi message list --case", &["--case <ID> に値がありません"]),
            ("tsunagi audit export --as x --format pdf out", &["--format <FORMAT>", "pdf は使えません", "使える値: tiles、ndjson、csv"]),
            ("tsunagi certificate check --facts f --service planning", &["一緒に使えません"]),
            (
                "tsunagi message list --case 0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4 --case 0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4",
                &["一度しか使えません"],
            ),
        ] {
            let told = in_japanese(&refused(line));
            for word in words {
                assert!(told.contains(word), "{line}: {word}\n{told}");
            }
            assert!(told.starts_with("tsunagi: ") && told.contains("次の手順: ") && !told.contains("error"), "{line}: {told}");
        }
    }

    #[test]
    fn headings_of_the_help_stand_above_what_there_is() {
        let of = |line: &str| refused(line).render().to_string();
        let (top, list, drop) = (of("tsunagi --help"), of("tsunagi outbox list --help"), of("tsunagi outbox drop --help"));
        assert!(top.contains("使い方: tsunagi") && top.contains("コマンド:\n") && !top.contains("引数:"), "{top}");
        assert!(!list.contains("コマンド:") && list.contains("オプション:") && list.contains("この案内を表示する"), "{list}");
        assert!(drop.contains("引数:\n  <ID>"), "{drop}");
        for english in ["Usage:", "Commands:", "Options:", "Arguments:", "Print help"] {
            assert!(!format!("{top}{list}{drop}").contains(english), "{english}");
        }
    }

    #[test]
    fn the_language_is_what_the_words_ask_for_wherever_they_say_so() {
        let asked = |line: &str| super::asked(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(asked("tsunagi --lang ja nothing"), Some(Lang::Ja));
        assert_eq!(asked("tsunagi nothing --lang=en"), Some(Lang::En));
        for none in ["tsunagi", "tsunagi --lang", "tsunagi --lang fr", "tsunagi -- --lang ja"] {
            assert_eq!(asked(none), None, "{none}");
        }
    }
}
