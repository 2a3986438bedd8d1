use super::*;

const WHOLE: &str = r#"
gateway = "https://localhost:8443"
listen = "127.0.0.1:8443"
node = "node-1"
origin = "localhost:8443/ledger"
sandbox = true

[tls]
cert = "tls/server.pem"
key = "tls/server.key"
client_ca = "/etc/pki/ca.pem"
crls = ["tls/ca.crl"]

[keys]
enc = "keys/enc.jwk"
kb = "keys/kb.jwk"
receipt = "keys/receipt.jwk"
ledger = "keys/ledger.seed"
kek = "keys/kek"
retired = ["keys/old-kb.jwk"]

[database]
url = "sqlite:ledger.db"

[admin]
listen = "unix:admin.sock"

[limits]
connections = 10

[log]
format = "json"
level = "debug"
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/srv/gateway/tsunagi.toml"))
}

fn message(from: &str, to: &str) -> String {
    assert!(WHOLE.contains(from), "{from}");
    parse(&WHOLE.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn a_whole_file_is_read_and_its_paths_are_relative_to_it() {
    let config = parse(WHOLE).unwrap();
    assert_eq!(config.tls.cert, Path::new("/srv/gateway/tls/server.pem"));
    assert_eq!(config.tls.client_ca, Path::new("/etc/pki/ca.pem"));
    assert_eq!(config.tls.crls, [Path::new("/srv/gateway/tls/ca.crl")]);
    assert_eq!(config.keys.retired, [Path::new("/srv/gateway/keys/old-kb.jwk")]);
    assert_eq!(config.database.url.expose(), "sqlite:///srv/gateway/ledger.db");
    assert_eq!(config.admin.unwrap().listen, AdminListen::Unix("/srv/gateway/admin.sock".into()));
    assert_eq!(config.ledger.high_water, Path::new("/srv/gateway/tsunagi.high-water"));
    assert_eq!(config.limits.connections.get(), 10);
    assert_eq!(config.limits.drain_seconds.get(), 30);
    assert_eq!((config.log.format, config.log.level), (LogFormat::Json, LogLevel::Debug));
}

#[test]
fn what_may_be_left_out_has_a_safe_default() {
    let end = WHOLE.find("[admin]").unwrap();
    let config = parse(&WHOLE[..end].replace("sandbox = true\n", "")).unwrap();
    assert!(!config.sandbox);
    assert!(config.admin.is_none());
    assert_eq!(config.log.level, LogLevel::Info);
}

#[test]
fn an_unknown_key_is_refused_with_file_and_line() {
    let said = message("node = \"node-1\"", "node = \"node-1\"\nnode_name = \"x\"");
    assert!(said.starts_with("/srv/gateway/tsunagi.toml, line 5, key `node_name`: unknown field"), "{said}");
    assert!(message("connections = 10", "conections = 10").contains("line 29"));
}

#[test]
fn a_missing_key_is_named() {
    assert!(message("kek = \"keys/kek\"\n", "").contains("missing field `kek`"));
}

#[test]
fn the_gateway_is_exactly_schema_host_and_port() {
    for bad in [
        "http://localhost:8443",
        "https://localhost",
        "https://localhost:8443/",
        "https://LOCALHOST:8443",
        "https://a@localhost:8443",
        "https://localhost:08443",
        "",
    ] {
        let said = message("gateway = \"https://localhost:8443\"", &format!("gateway = \"{bad}\""));
        assert!(said.contains("key `gateway`"), "{bad}: {said}");
    }
    assert!(parse(&WHOLE.replace("https://localhost:8443", "https://[::1]:8443")).is_ok());
}

#[test]
fn a_sandbox_is_not_reachable_from_outside() {
    assert!(message("listen = \"127.0.0.1:8443\"", "listen = \"0.0.0.0:8443\"").contains("sandbox"));
    let real = WHOLE.replace("sandbox = true", "sandbox = false").replace("127.0.0.1:8443", "0.0.0.0:8443");
    assert!(parse(&real).is_ok());
}

#[test]
fn the_admin_listener_is_local() {
    assert!(message("unix:admin.sock", "10.0.0.1:9000").contains("admin.listen"));
    assert!(message("unix:admin.sock", "here").contains("write address:port or unix:PATH"));
    assert!(parse(&WHOLE.replace("unix:admin.sock", "[::1]:9000")).is_ok());
}

#[test]
fn an_origin_has_no_schema_space_or_plus() {
    for bad in ["https://localhost/ledger", "local host", "local+host", ""] {
        assert!(message("origin = \"localhost:8443/ledger\"", &format!("origin = \"{bad}\"")).contains("key `origin`"), "{bad}");
    }
}

#[test]
fn a_ledger_in_memory_is_refused() {
    for bad in ["sqlite::memory:", "sqlite:", "sqlite:x?mode=memory", "mysql://u:hunter2@h/d", "postgres://u:hunter2@h/d"] {
        let said = message("sqlite:ledger.db", bad);
        assert!(said.contains("database.url") && !said.contains("hunter2"), "{bad}: {said}");
    }
}

#[test]
fn a_folder_with_url_characters_in_its_name_is_escaped() {
    let config = Config::parse(WHOLE, Path::new("/srv/100%?/tsunagi.toml")).unwrap();
    assert_eq!(config.database.url.expose(), "sqlite:///srv/100%25%3F/ledger.db");
}

#[test]
fn neither_debug_nor_a_syntax_error_shows_the_database_url() {
    assert!(format!("{:?}", parse(WHOLE).unwrap()).contains("url: [redacted]"));
    let said = message("url = \"sqlite:ledger.db\"", "url = \"postgres://u:hunter2@h/d");
    assert!(said.contains("key `url`") && !said.contains("hunter2"), "{said}");
}

#[test]
fn a_private_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kek");
    std::fs::write(&file, b"secret").unwrap();
    for (mode, accepted) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        match read_secret(&file) {
            Ok(bytes) => assert!(accepted && bytes.as_slice() == b"secret", "{mode:o}"),
            Err(error) => assert!(!accepted && error.to_string().contains("chmod 600"), "{mode:o}: {error}"),
        }
    }
}

#[test]
fn a_configuration_with_a_password_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tsunagi.toml");
    for (url, mode, accepted) in [
        ("postgres://app:secret@localhost/t", 0o600, true),
        ("postgres://app:secret@localhost/t", 0o644, false),
        ("postgres://app@localhost/t", 0o644, true),
    ] {
        std::fs::write(&file, WHOLE.replace("sqlite:ledger.db", url)).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(Config::load(&file).is_ok(), accepted, "{url} {mode:o}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let said = Config::load(Path::new("/nonexistent/tsunagi.toml")).unwrap_err().to_string();
    assert!(said.starts_with("/nonexistent/tsunagi.toml: "), "{said}");
}

#[test]
fn witnesses_are_read_and_wrong_ones_are_named() {
    let base = |more: &str| parse(&format!("{WHOLE}\n{more}"));
    assert!(parse(WHOLE).unwrap().witness.is_empty() && parse(WHOLE).unwrap().checkpoints.is_none());
    let one = "[[witness]]\nvkey = \"w+1+x\"\nurl = \"https://w.example/x\"\nca = \"w.pem\"\n";
    let config = base(one).unwrap();
    assert_eq!(config.witness[0].ca.as_deref(), Some(Path::new("/srv/gateway/w.pem")));
    let config = base(&format!("[checkpoints]\nquorum = 1\naway = \"stop\"\n{one}")).unwrap().checkpoints.unwrap();
    assert_eq!((config.away, config.interval_seconds.get(), config.patience_minutes.get()), (WitnessesAway::Stop, 60, 60));
    for (text, key) in [
        (format!("[checkpoints]\nquorum = 2\n{one}"), "checkpoints.quorum"),
        ("[checkpoints]\nquorum = 1\n".to_owned(), "checkpoints.quorum"),
        (one.replace("https", "ftp"), "witness.url"),
        (one.replace("https", "http"), "witness.ca"),
        (one.replace("ca = \"w.pem\"", ""), "witness.ca"),
        (one.replace("vkey", "key"), "key"),
        ("[checkpoints]\naway = \"ignore\"\n".to_owned(), "away"),
        ("[checkpoints]\ninterval_seconds = 0\n".to_owned(), "interval_seconds"),
    ] {
        let message = base(&text).unwrap_err().to_string();
        assert!(message.contains(&format!("`{key}`")), "{text}: {message}");
    }
}
