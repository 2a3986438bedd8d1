//! What the program says about a command line, in the language of whoever typed it.

use std::process::{Command, Output, Stdio};

use crate::{
    exchange_stage::{BINARY, MUNICIPALITY as CITY},
    life_stage::Life,
};

fn run(locale: &str, args: &[&str]) -> Output {
    Command::new(BINARY).args(args).env_remove("TSUNAGI_IDENTITY").env("LC_ALL", locale).stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> (String, String) {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8(bytes.clone()).unwrap()).into()
}

#[test]
fn a_wrong_command_line_ends_with_2_in_either_language() {
    for (locale, args, words) in [
        ("ja_JP.UTF-8", &["outbox", "drop"][..], ["必要な引数がありません", "次の手順"]),
        ("C.UTF-8", &["outbox", "drop"], ["required arguments were not provided", "--help"]),
        ("C.UTF-8", &["--lang", "ja", "outbox", "drop"], ["必要な引数がありません", "使い方: tsunagi outbox drop"]),
        ("ja_JP.UTF-8", &["--lang=en", "outbox", "drop"], ["required arguments were not provided", "Usage: tsunagi outbox drop"]),
        ("ja_JP.UTF-8", &["nothing"], ["nothing というコマンドはありません", "--help"]),
    ] {
        let output = run(locale, args);
        let (out, error) = said(&output);
        assert_eq!((output.status.code(), out.as_str()), (Some(2), ""), "{args:?}");
        for word in words {
            assert!(error.contains(word), "{args:?}: {word}\n{error}");
        }
    }
}

#[test]
fn help_is_in_the_language_of_who_asks_and_goes_where_it_was_asked() {
    for args in [&["help"][..], &["--help"], &["help", "outbox"], &["outbox", "list", "--help"], &["case", "-h"]] {
        let [ja, en] = ["ja_JP.UTF-8", "C.UTF-8"].map(|locale| run(locale, args));
        assert_eq!((ja.status.code(), en.status.code()), (Some(0), Some(0)), "{args:?}");
        let ((ja, silent), (en, _)) = (said(&ja), said(&en));
        assert!(silent.is_empty() && ja.contains("使い方: tsunagi") && ja.contains("オプション:"), "{args:?}: {ja}");
        assert!(!ja.contains("Print ") && !ja.contains("Usage:") && en.contains("Usage: tsunagi"), "{args:?}: {ja}");
    }
    let output = run("ja_JP.UTF-8", &["case"]);
    let (out, error) = said(&output);
    assert!(output.status.code() == Some(2) && out.is_empty() && error.contains("コマンド:"), "what is missing is an error: {error}");
    assert_eq!(said(&run("ja_JP.UTF-8", &["--version"])).0, format!("tsunagi {}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_name_their_codes_in_the_language_of_who_reads_them_and_machines_get_the_codes() {
    let life = Life::referred().await;
    let (identity, case) = (life.sandbox.identity(&CITY.parse().unwrap()), life.case(CITY).to_owned());
    let told = |lang: &str, args: &[&str]| {
        let output = Command::new(BINARY).args(["--lang", lang]).args(args).env("TSUNAGI_IDENTITY", &identity).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", said(&output).1);
        said(&output).0
    };
    let messages = ["message", "list", "--case", &case];
    for (lang, args, words) in [
        ("ja", &["case", "list"][..], &["依頼・照会中（open）  担当（assigned）  利用調整依頼（referral）"][..]),
        ("en", &["case", "list"], &["open (asked, not decided yet)  assigned (Assigned: asked to act)  referral (Referral)"]),
        ("ja", &messages, &["受信  利用調整依頼（referral）"]),
        ("en", &messages, &["received  referral (Referral)"]),
        ("ja", &["message", "show", "--case", &case], &["利用調整依頼（referral）  "]),
        ("ja", &["--json", "case", "list"], &[r#""state":"open""#, r#""relation":"assigned""#, r#""kind":"referral""#]),
        ("ja", &["--json", "message", "list", "--case", &case], &[r#""kind":"referral""#, r#""direction":"in""#]),
    ] {
        let text = told(lang, args);
        assert!(words.iter().all(|word| text.contains(word)), "{lang} {args:?}: {text}");
    }
    life.server.stop().await;
}
