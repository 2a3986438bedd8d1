//! `tsunagi setup files DIR`: what a gateway needs before anybody else does something for it.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use serde_json::json;

use crate::{
    cli::{
        CliError, Voice,
        acting::say,
        folder::{self, Folder},
    },
    config::{Config, is_gateway_url},
    startup::Told as _,
    text::Lang,
    tls::request,
};

/// The gateway that is set up.
#[derive(Debug, Args)]
pub(super) struct FilesArgs {
    /// A folder that does not exist yet, or is empty.
    dir: PathBuf,
    /// The gateway as its parties will name it, https://host:port. Everything that is signed for it names it: it cannot be changed later.
    #[arg(long, value_name = "URL")]
    gateway: String,
    /// Name of the ledger, without schema. Default: the gateway's host and port with /ledger behind them.
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    /// Address and port of the public listener. Default: every IPv4 address (IPv6 where the gateway is named by one), at the gateway's port.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Name of this node in ledger entries and logs: a to z, 0 to 9 and -.
    #[arg(long, value_name = "NAME", default_value = "gateway-1")]
    node: String,
    /// URL of the database of the gateway: postgres://ROLE@HOST:PORT/NAME. Default: a SQLite file in the folder.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

pub(super) fn run(args: &FilesArgs, voice: Voice) -> Result<(), CliError> {
    // Looked at before anything is written: the folder of a first try must not stand in the way of the second.
    let (host, port) = place(&args.gateway)?;
    let text = configuration(args, host, port);
    let file = args.dir.join(CONFIG);
    Config::parse(&text, &file)
        .map_err(|error| CliError::usage(error.to_string(), format!("設定にできません: {}", error.in_japanese())))?;
    let request = request::for_gateway(host).map_err(|error| unusable(&args.gateway, &error))?;
    let folder = Folder::create(&args.dir)?;
    folder::gateway_keys(&folder)
        .map_err(|error| CliError::usage(format!("the keys could not be made: {error}"), format!("鍵を作れませんでした（{error}）")))?;
    let tls = folder.sub("tls")?;
    tls.private("server.key", request.key_pem.as_bytes())?;
    tls.public("server.csr", request.csr_pem.as_bytes())?;
    if args.database.is_none() {
        folder.sub("data")?;
    }
    // The address of a server may carry a password.
    let write = if args.database.is_some() { Folder::private } else { Folder::public };
    write(&folder, CONFIG, text.as_bytes())?;
    told(args, voice)
}

fn told(args: &FilesArgs, voice: Voice) -> Result<(), CliError> {
    let dir = args.dir.display();
    if voice.json {
        return say(json!({"folder": args.dir, "gateway": args.gateway, "request": args.dir.join("tls/server.csr")}));
    }
    let owner = if args.database.is_some() { " [--owner-url-file FILE]" } else { "" };
    say(match voice.lang {
        Lang::En => format!(
            "The folder of the gateway is ready. Keep copies of {dir}/keys apart from every backup of the database: without keys/kek what is stored is lost.\n\n\
             Next:\n  1. Have {dir}/tls/server.csr signed by the authority that your parties trust; put the chain into {dir}/tls/server.pem.\n  \
             2. Put the authorities of the parties' certificates into {dir}/tls/client-ca.pem and their revocation lists into {dir}/tls/client-ca.crl.\n  \
             3. The operator makes an identity:  tsunagi party new OPERATOR-DIR --party operator:NAME --gateway {url} --name-ja ... --name-en ...\n  \
             4. tsunagi setup exchange -c {dir}/{CONFIG} --operator OPERATOR-DIR/request.json --kid KID{owner}\n  \
             5. tsunagi check -c {dir}/{CONFIG}\n  6. tsunagi serve -c {dir}/{CONFIG}",
            url = args.gateway,
        ),
        Lang::Ja => format!(
            "ゲートウェイのフォルダーができました。{dir}/keys の控えを、データベースの控えとは別に保管してください。keys/kek を失うと、保存した内容は読めなくなります。\n\n\
             次に:\n  1. {dir}/tls/server.csr に、各機関が信頼する認証局の署名を受け、証明書チェーンを {dir}/tls/server.pem に置く。\n  \
             2. 各機関の証明書の認証局を {dir}/tls/client-ca.pem に、その失効リストを {dir}/tls/client-ca.crl に置く。\n  \
             3. 運用者の身元を作る:  tsunagi party new 運用者のフォルダー --party operator:名前 --gateway {url} --name-ja ... --name-en ...\n  \
             4. tsunagi setup exchange -c {dir}/{CONFIG} --operator 運用者のフォルダー/request.json --kid KID{owner}\n  \
             5. tsunagi check -c {dir}/{CONFIG}\n  6. tsunagi serve -c {dir}/{CONFIG}",
            url = args.gateway,
        ),
    })
}

/// Host and port of the URL.
fn place(url: &str) -> Result<(&str, &str), CliError> {
    let rest = url.strip_prefix("https://").filter(|_| is_gateway_url(url)).and_then(|rest| rest.rsplit_once(':'));
    rest.ok_or_else(|| {
        CliError::usage(
            "--gateway: write https://host:port in lower case, with nothing behind the port",
            "--gateway は https://ホスト:ポート の形で、小文字で、ポートのあとに何も付けずに書いてください",
        )
    })
}

fn configuration(args: &FilesArgs, host: &str, port: &str) -> String {
    let string = |text: &str| toml::Value::from(text).to_string();
    // With the port: two exchanges of one host are two ledgers.
    let origin = args.origin.clone().unwrap_or_else(|| format!("{host}:{port}/ledger"));
    let every = if host.starts_with('[') { "[::]" } else { "0.0.0.0" };
    let listen = args.listen.map_or_else(|| format!("{every}:{port}"), |listen| listen.to_string());
    let [gateway, listen, node, origin] = [&args.gateway, &listen, &args.node, &origin].map(|text| string(text));
    let database = string(args.database.as_deref().unwrap_or("sqlite:data/tsunagi.sqlite"));
    let keys = folder::GATEWAY_KEYS;
    format!(
        r#"# Made by `tsunagi setup files`. README lists every key; `tsunagi check -c FILE` looks at all that is named here.
gateway = {gateway}
listen = {listen}
node = {node}
origin = {origin}

[tls]
cert = "tls/server.pem"
key = "tls/server.key"
client_ca = "tls/client-ca.pem"
crls = ["tls/client-ca.crl"]

{keys}

[database]
url = {database}

[admin]
listen = "unix:admin.sock"
"#
    )
}

fn unusable(url: &str, error: &request::RequestError) -> CliError {
    CliError::usage(format!("{url}: {error}"), format!("{url}: 証明書の要求を作れません（{error}）"))
}

const CONFIG: &str = "tsunagi.toml";
