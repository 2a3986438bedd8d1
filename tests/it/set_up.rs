//! A gateway set up for real work with the commands alone, under an authority of somebody else's (OpenSSL): from empty folders to the first message, and the
//! life of a party's keys.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use tsunagi::{config::Config, startup, store};

use crate::{
    exchange_stage::{BINARY, Sandbox, Settings, free_port, party::now},
    postgres_stage::{self, Database},
};

const OPERATOR: &str = "operator:main";
const CENTRE: &str = "settlement_center:13-1";
const TOWN: &str = "municipality:131016-1";
const NOBODYS: &str = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

/// The folders of everybody, and an authority.
struct Office {
    sandbox: Sandbox,
    port: u16,
}

impl Office {
    /// Empty folders, and the authority that `certs-example/README.md` makes.
    fn new(postgres: Option<&Database>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca");
        fs::create_dir(&ca).unwrap();
        let office = Self { sandbox: Sandbox::of(folder, postgres), port: free_port() };
        office.sh(&ca, page().split("```sh\n").nth(1).unwrap().split("```").next().unwrap());
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path().with_file_name(name)
    }

    fn sh(&self, folder: &Path, script: &str) {
        let output = Command::new("sh").args(["-e", "-c", script]).current_dir(folder).env("CA", self.path("ca")).output().unwrap();
        assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Signs a request as the page says.
    fn sign(&self, folder: &Path, request: &str, certificate: &str) {
        let page = page();
        let commands = page.split("```sh\n").nth(2).unwrap().split("```").next().unwrap();
        let commands = commands.replace("tls.csr", request).replace("tls.pem", certificate);
        self.sh(folder, &commands.replace("ca.pem", "$CA/ca.pem").replace("ca.key", "$CA/ca.key"));
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    fn folder(&self, party: &str) -> PathBuf {
        self.path(&party.replace(':', "-"))
    }

    fn run(&self, party: &str, lang: &str, words: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.args(["--lang", lang]).args(words).env("TSUNAGI_IDENTITY", self.folder(party)).stdin(Stdio::null());
        command.current_dir(self.path("")).output().unwrap()
    }

    /// The lines of a command that ends well.
    fn done(&self, party: &str, words: &[&str]) -> Vec<Value> {
        let output = self.run(party, "en", &[&["--json"], words].concat());
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a person is told, in English and in Japanese, by a command that ends with this code each time.
    fn refused(&self, party: &str, code: i32, words: &[&str]) -> [String; 2] {
        ["en", "ja"].map(|lang| {
            let output = self.run(party, lang, words);
            assert_eq!(output.status.code(), Some(code), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stderr).unwrap()
        })
    }

    fn config(&self) -> String {
        self.sandbox.config().to_str().unwrap().to_owned()
    }

    /// The folder of the gateway, complete.
    fn files(&self, more: &[&str]) {
        let (url, listen) = (self.url(), format!("127.0.0.1:{}", self.port));
        let words = ["setup", "files", "sandbox", "--gateway", &url, "--listen", &listen];
        self.done(OPERATOR, &[&words, more].concat());
        self.given();
    }

    /// What the authority gives to the gateway.
    fn given(&self) {
        let tls = self.sandbox.path().join("tls");
        self.sign(&tls, "server.csr", "server.pem");
        self.sh(&tls, "cp $CA/ca.pem client-ca.pem; cp $CA/ca.crl client-ca.crl");
    }

    /// An identity folder; the thumbprint of its key.
    fn party(&self, party: &str, more: &[&str]) -> String {
        let (url, folder) = (self.url(), self.folder(party));
        let words =
            ["party", "new", folder.to_str().unwrap(), "--party", party, "--gateway", &url, "--name-ja", "試験", "--name-en", "Test"];
        let ca = self.path("ca/ca.pem");
        let made = self.done(party, &[&words[..], &["--ca", ca.to_str().unwrap()], more].concat());
        made[0]["kid"].as_str().unwrap().to_owned()
    }

    /// What others give to a party.
    fn complete(&self, party: &str) {
        self.sign(&self.folder(party), "tls.csr", "tls.pem");
        fs::copy(self.sandbox.path().join("gateway-keys.json"), self.folder(party).join("gateway-keys.json")).unwrap();
    }

    fn request(&self, party: &str) -> String {
        self.folder(party).join("request.json").to_str().unwrap().to_owned()
    }

    /// Begins the exchange; the operator can act.
    fn begin(&self, more: &[&str]) -> Value {
        let kid = self.party(OPERATOR, &[]);
        let (config, request) = (self.config(), self.request(OPERATOR));
        let words = ["setup", "exchange", "-c", &config, "--operator", &request, "--kid", &kid];
        let begun = self.done(OPERATOR, &[&words, more].concat()).remove(0);
        self.complete(OPERATOR);
        begun
    }
}

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("certs-example/README.md")).unwrap()
}

/// Whether requests can be signed here.
fn openssl() -> bool {
    let there = Command::new("openssl").arg("version").output().is_ok();
    if !there {
        postgres_stage::missing("there is no openssl command on this machine");
    }
    there
}

/// Two parties, and what the town may tell the centre.
fn agreement() -> Value {
    json!({
        "id": "AG-13-0001", "ver": 1, "title": "試験協定", "parties": [CENTRE, TOWN], "acceding": [],
        "flows": [{"from": TOWN, "to": CENTRE, "kinds": ["resource_info"], "purposes": ["placement_coordination"],
            "classes": ["routing", "task", "consent_meta"], "bases": ["within_purpose"]}],
        "schema_versions": ["resource_info/1.0.0"], "purpose_of_use_entry": "個人情報ファイル簿 3", "terms": ["目的外に使わない"],
        "from": now().plus_secs(-60), "until": now().plus_secs(30 * 86_400), "retention_months": 12, "delegations": []
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_is_set_up_for_real_work_from_empty_folders_to_the_first_message() {
    if !openssl() {
        return;
    }
    let office = Office::new(None);
    let [en, ja] = office.refused(OPERATOR, 2, &["setup", "files", "sandbox", "--gateway", "https://localhost"]);
    assert!(en.contains("https://host:port") && ja.contains("https://ホスト:ポート"), "{en}{ja}");
    office.refused(OPERATOR, 2, &["setup", "files", "sandbox", "--gateway", "https://LOCALHOST:8443"]);
    assert!(!office.sandbox.path().exists(), "a refused try leaves nothing behind");
    office.files(&[]);
    let folder = office.sandbox.path();
    for private in ["keys/enc.jwk", "keys/kb.jwk", "keys/receipt.jwk", "keys/ledger.seed", "keys/kek", "tls/server.key"] {
        assert_eq!(fs::metadata(folder.join(private)).unwrap().permissions().mode() & 0o777, 0o600, "{private}");
    }
    let url = office.url();
    assert!(office.refused(OPERATOR, 2, &["setup", "files", "sandbox", "--gateway", &url])[0].contains("is not empty"));

    // Nothing is served, and nothing begun, before the operator is known.
    let config = office.config();
    assert!(office.refused(OPERATOR, 2, &["serve", "-c", &config])[0].contains("tsunagi setup exchange"));
    let codes = office.refused(
        CENTRE,
        2,
        &["party", "new", "centre", "--party", CENTRE, "--gateway", &url, "--name-ja", "a", "--name-en", "b", "--purpose", "x"],
    );
    assert!(codes[1].contains("placement_coordination"), "{}", codes[1]);
    let kid = office.party(CENTRE, &["--purpose", "placement_coordination", "--staff", "staff-0042"]);
    let request = office.request(CENTRE);
    let [en, ja] = office.refused(OPERATOR, 2, &["setup", "exchange", "-c", &config, "--operator", &request, "--kid", &kid]);
    assert!(en.contains("is no operator") && ja.contains("運用者ではありません"), "{en}{ja}");
    let [en, ja] = office.refused(OPERATOR, 2, &["setup", "exchange", "-c", &config, "--operator", &request, "--kid", NOBODYS]);
    assert!(en.contains("not the one that was told") && ja.contains("すり替え"), "{en}{ja}");
    assert!(!office.sandbox.database().exists());
    // First tries that were struck down while the database was made, and behind that, stand in nobody's way.
    fs::write(office.sandbox.database().with_file_name("tsunagi.sqlite.1.unfinished"), "").unwrap();
    let made = Config::load(&office.sandbox.config()).unwrap();
    let (address, policy) = (startup::database(&made).unwrap(), startup::policies(&made).unwrap().digest());
    store::create(address, &made.origin, policy).await.unwrap().close().await;
    let begun = office.begin(&[]);
    assert_eq!((&begun["operator"], &begun["already"]), (&json!(OPERATOR), &json!(false)));
    let pinned: Value = serde_json::from_slice(&fs::read(folder.join("gateway-keys.json")).unwrap()).unwrap();
    assert_eq!((&pinned["ledger"]["vkey"], &pinned["gateway"]), (&begun["vkey"], &json!(url)));
    // Said again it changes nothing; another operator does not come in this way.
    let kid = office.done(OPERATOR, &["setup", "document", "-c", &config, "again.json"]);
    assert_eq!(kid[0]["document"], "again.json");
    assert_eq!(fs::read(office.path("again.json")).unwrap(), fs::read(folder.join("gateway-keys.json")).unwrap());
    let signing: Value = serde_json::from_slice(&fs::read(office.request(OPERATOR)).unwrap()).unwrap();
    let kid = thumbprint(&signing);
    let request = office.request(OPERATOR);
    let again = office.done(OPERATOR, &["setup", "exchange", "-c", &config, "--operator", &request, "--kid", &kid]);
    assert_eq!(again[0]["already"], true);
    fs::write(office.path("other.json"), "{}").unwrap();
    let words = ["setup", "exchange", "-c", &config, "--operator", &request, "--kid", &kid, "--document", "other.json"];
    assert!(office.refused(OPERATOR, 2, &words)[0].contains("tsunagi setup document"));
    assert_eq!(fs::read(office.path("other.json")).unwrap(), b"{}");
    let other = office.party("operator:other", &[]);
    let request = office.request("operator:other");
    let [en, ja] = office.refused(OPERATOR, 2, &["setup", "exchange", "-c", &config, "--operator", &request, "--kid", &other]);
    assert!(en.contains("has parties already") && ja.contains("tsunagi party register"), "{en}{ja}");
    office.done(OPERATOR, &["check", "-c", &config]);

    let server = office.sandbox.serve().await;
    let request = office.request(OPERATOR);
    let again = office.done(OPERATOR, &["setup", "exchange", "-c", &config, "--operator", &request, "--kid", &kid]);
    assert_eq!(again[0]["already"], true, "also while it serves");
    // Who is registered with whose key is said by the operator alone, and only with the key that the party told.
    office.complete(CENTRE);
    let town = office.party(TOWN, &["--purpose", "placement_coordination", "--pin-certificate"]);
    office.complete(TOWN);
    let centre = thumbprint(&serde_json::from_slice(&fs::read(office.request(CENTRE)).unwrap()).unwrap());
    let (of_centre, of_town) = (office.request(CENTRE), office.request(TOWN));
    assert!(office.refused(CENTRE, 1, &["key", "add"])[0].contains("unknown_party"));
    office.refused(OPERATOR, 2, &["party", "register", &of_town, "--kid", &centre]);
    for (request, kid) in [(&of_centre, &centre), (&of_town, &town)] {
        assert_eq!(office.done(OPERATOR, &["party", "register", request, "--kid", kid])[0]["act"], "register");
    }
    let [en, ja] = office.refused(OPERATOR, 1, &["party", "register", &of_town, "--kid", &town]);
    assert!(en.contains("already_registered") && ja.contains("機関についての届出"), "{en}{ja}");
    assert!(office.refused(CENTRE, 2, &["party", "suspend", TOWN])[1].contains("運用者ではありません"));
    for party in [OPERATOR, CENTRE, TOWN] {
        assert_eq!(office.done(party, &["key", "add"])[0]["act"], "add");
    }
    let listed = office.done(CENTRE, &["party", "list"]);
    assert_eq!(listed.iter().map(|party| party["party"].as_str().unwrap()).collect::<Vec<_>>(), [TOWN, OPERATOR, CENTRE]);
    assert_eq!(office.done(CENTRE, &["party", "show", TOWN])[0]["keys"].as_array().unwrap().len(), 2);

    first_message(&office);
    operators(&office, &other);
    // What a party may do is what the operator grants, and a pinned certificate is the only one it comes with.
    fs::rename(office.folder(TOWN).join("tls.pem"), office.folder(TOWN).join("tls.old.pem")).unwrap();
    office.sh(&office.folder(TOWN), OTHER_KEY);
    assert!(office.refused(TOWN, 1, &["case", "list", "--purpose", "placement_coordination"])[0].contains("bad_identity"));
    server.stop().await;
    office.done(OPERATOR, &["audit", "inspect", "-c", &config]);
}

/// What README tells an operator to type, as it stands but for names, port and thumbprint; both languages tell the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_readme_begin_an_exchange_and_let_a_party_in() {
    if !openssl() {
        return;
    }
    let office = Office::new(None);
    let [en, ja] = ["README.md", "README.ja.md"].map(|name| {
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
        page.split("```bash\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect::<Vec<_>>()
    });
    assert_eq!(en, ja);
    let [files, exchange, parties] = en.try_into().unwrap();
    let type_in = |script: &str, kid: &str| {
        let script = script.replace("gateway.example:8443", &format!("localhost:{}", office.port)).replace("KID", kid);
        let script = script.replace("--operator operator/", "--operator operator-main/").replace("--as operator", "--as operator-main");
        let script =
            script.replace("party new operator ", "party new operator-main ").replace("--as centre", "--as settlement_center-13-1");
        let script = script.replace("files gateway ", "files sandbox ").replace("-c gateway/", "-c sandbox/");
        let script = script
            .replace("register request.json", "register settlement_center-13-1/request.json")
            .replace("tsunagi ", &format!("{BINARY} "));
        office.sh(&office.path(""), &script);
    };
    type_in(&files, "");
    office.given();
    let config = fs::read_to_string(office.sandbox.config()).unwrap();
    fs::write(office.sandbox.config(), config.replace("0.0.0.0:", "127.0.0.1:")).unwrap();
    let kid = |party: &str| thumbprint(&serde_json::from_slice(&fs::read(office.request(party)).unwrap()).unwrap());
    let before = exchange.lines().filter(|line| !line.starts_with("tsunagi serve")).collect::<Vec<_>>();
    assert_eq!(before.len() + 1, exchange.lines().count());
    type_in(&before.join("\n"), &kid(OPERATOR));
    fs::copy(office.path("ca/ca.pem"), office.folder(OPERATOR).join("ca.pem")).unwrap();
    office.complete(OPERATOR);
    let server = office.sandbox.serve().await;
    office.party(CENTRE, &[]);
    office.complete(CENTRE);
    type_in(&parties, &kid(CENTRE));
    assert_eq!(office.done(CENTRE, &["key", "list"]).len(), 2);
    server.stop().await;
}

/// Another key with a certificate of the same authority for the same party.
const OTHER_KEY: &str = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -batch -keyout tls.key -out tls.pem -CA $CA/ca.pem \
    -CAkey $CA/ca.key -days 30 -addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature -subj /CN=town \
    -addext extendedKeyUsage=clientAuth -addext subjectAltName=URI:urn:tsunagi:party:municipality:131016-1; chmod 600 tls.key";

/// Nobody can take the last operator away, and of two each can.
fn operators(office: &Office, kid: &str) {
    let [en, ja] = office.refused(OPERATOR, 1, &["party", "suspend", OPERATOR]);
    assert!(en.contains("register another one first") && ja.contains("先に別の運用者を登録"), "{en}{ja}");
    office.done(OPERATOR, &["party", "register", &office.request("operator:other"), "--kid", kid]);
    office.complete("operator:other");
    office.done(OPERATOR, &["party", "suspend", OPERATOR]);
    let said = office.run(OPERATOR, "en", &["party", "suspend", TOWN]);
    assert!(said.status.code() == Some(1) && String::from_utf8(said.stderr).unwrap().contains("party_suspended"));
    assert!(office.refused("operator:other", 1, &["party", "suspend", "operator:other"])[0].contains("last_operator"));
    office.done("operator:other", &["party", "readmit", OPERATOR]);
    // What it signed while it was suspended is not sent on by itself, and may be put away.
    let waiting = office.done(OPERATOR, &["outbox", "list"]).into_iter().find(|line| line["state"] == "waiting").unwrap();
    let id = waiting["id"].as_str().unwrap();
    assert!(office.refused(OPERATOR, 2, &["party", "suspend", CENTRE])[0].contains(id));
    assert!(office.refused(OPERATOR, 2, &["outbox", "drop", id])[0].contains("--even-waiting"));
    office.done(OPERATOR, &["outbox", "drop", id, "--even-waiting"]);
    office.done(OPERATOR, &["party", "update", &office.request(TOWN)]);
}

/// The two put an agreement in force and the town tells the centre about its resources.
fn first_message(office: &Office) {
    fs::write(office.path("draft.json"), agreement().to_string()).unwrap();
    office.done(CENTRE, &["agreement", "draft", "draft.json", "--out", "agreement.json"]);
    for party in [CENTRE, TOWN] {
        office.done(party, &["agreement", "sign", "agreement.json"]);
    }
    let body = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/examples/resource_info.json");
    office.done(TOWN, &["message", "send", "--kind", "resource_info", "--to", CENTRE, "--body", body.to_str().unwrap()]);
    let told = office.done(CENTRE, &["case", "list", "--purpose", "placement_coordination"]);
    let case = told[0]["case"].as_str().unwrap();
    let messages = office.done(CENTRE, &["message", "list", "--case", case]);
    let message = messages[0]["message"].as_str().unwrap();
    let shown = office.done(CENTRE, &["message", "show", "--case", case, message]);
    assert!(format!("{shown:?}").contains("グループホーム架空の家"), "{shown:?}");
    // A key that others may have from now on vouches for what was signed before, and for nothing behind.
    let old = office.done(TOWN, &["key", "list"]).into_iter().find(|key| key["use"] == "sig").unwrap()["kid"].as_str().unwrap().to_owned();
    office.done(TOWN, &["key", "renew", "--use", "sig"]);
    let [en, ja] = office.refused(TOWN, 2, &["key", "compromised", "--kid", &old, "--since", "2099-01-01T00:00:00Z"]);
    assert!(en.contains("lies ahead") && ja.contains("先の時刻"), "{en}{ja}");
    // Whole seconds: behind the entry of the message, and not ahead.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    office.done(TOWN, &["key", "compromised", "--kid", &old, "--since", &now().to_string()]);
    assert!(format!("{:?}", office.done(CENTRE, &["message", "show", "--case", case, message])).contains("グループホーム架空の家"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_renews_retires_and_gives_up_its_keys_and_a_crash_in_between_loses_none() {
    let sandbox = Sandbox::new(Settings::default());
    let server = sandbox.serve().await;
    let folder = sandbox.identity(&CENTRE.parse().unwrap());
    let run = |lang: &str, words: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(["--lang", lang]).args(words).env("TSUNAGI_IDENTITY", &folder).stdin(Stdio::null()).output().unwrap()
    };
    let lines = |words: &[&str]| -> Vec<Value> {
        let output = run("en", &[&["--json"], words].concat());
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let refused = |words: &[&str], code: i32| {
        let output = run("ja", words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    };
    let used = |usage: &str| {
        let keys = lines(&["key", "list"]);
        let mut used = keys.into_iter().filter(|key| key["in_use"] == true && key["use"] == usage);
        let key = used.next().unwrap();
        assert!(used.next().is_none());
        key["kid"].as_str().unwrap().to_owned()
    };
    for (usage, file) in [("sig", "signing"), ("enc", "encryption")] {
        let old = used(usage);
        assert!(refused(&["key", "retire", "--kid", &old], 2).contains("使用中です"), "what is in use is not retired by mistake");
        let busy = fs::File::open(&folder).unwrap();
        busy.lock().unwrap();
        assert!(refused(&["key", "renew", "--use", usage], 2).contains("別のコマンド"));
        drop(busy);
        let new = lines(&["key", "renew", "--use", usage])[0]["kid"].as_str().unwrap().to_owned();
        assert_eq!(used(usage), new);
        // Struck down behind the registration: the new key lies beside the old one. The same command goes on with it.
        let [current, next, kept] =
            [format!("{file}.jwk"), format!("{file}.jwk.next"), format!("{file}.jwk.{old}")].map(|name| folder.join(name));
        fs::rename(&current, &next).unwrap();
        fs::rename(&kept, &current).unwrap();
        assert_eq!(used(usage), old);
        assert_eq!(lines(&["key", "renew", "--use", usage])[0]["kid"], json!(new), "the key that was made before");
        // Struck down again, and the new key is taken out of use before the command goes on: it is never used.
        fs::rename(&current, &next).unwrap();
        fs::rename(&kept, &current).unwrap();
        lines(&["key", "retire", "--kid", &new]);
        let taken = new;
        let new = lines(&["key", "renew", "--use", usage])[0]["kid"].as_str().unwrap().to_owned();
        assert!(new != taken && used(usage) == new && folder.join(format!("{file}.jwk.next.{taken}")).exists());
        // What was cut while it was written stands in nobody's way.
        fs::write(&next, "{").unwrap();
        fs::set_permissions(&next, fs::Permissions::from_mode(0o600)).unwrap();
        let (cut, old_too) = (new, old);
        let new = lines(&["key", "renew", "--use", usage])[0]["kid"].as_str().unwrap().to_owned();
        assert!(new != cut && folder.join(format!("{file}.jwk.next.unusable")).exists());
        let (old, kept) = (cut.clone(), folder.join(format!("{file}.jwk.{cut}")));
        lines(&["key", "retire", "--kid", &old_too]);
        assert!(used(usage) == new && kept.exists() && !next.exists());
        assert_eq!(fs::metadata(&current).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(lines(&["key", "retire", "--kid", &old])[0]["act"], "retire");
        assert!(refused(&["key", "retire", "--kid", &old], 1).contains("not_active"));
        // Others may have had the old one: what it signed before it was retired counts no more either.
        assert_eq!(lines(&["key", "compromised", "--kid", &old, "--since", "2026-01-01T00:00:00Z"])[0]["act"], "compromised");
        let states: Vec<String> =
            lines(&["key", "list"]).iter().filter(|key| key["kid"] == json!(old)).map(|key| key["state"].to_string()).collect();
        assert_eq!(states, ["\"compromised\""]);
    }
    assert!(refused(&["key", "retire", "--kid", NOBODYS], 2).contains("登録された鍵ではありません"));
    let last = used("sig");
    assert!(refused(&["key", "compromised", "--kid", &last, "--since", "2026-01-01T00:00:00Z"], 2).contains("tsunagi key renew"));
    // The operator suspends and readmits it, at once.
    let operator = sandbox.identity(&"operator:sandbox".parse().unwrap());
    let operator = operator.to_str().unwrap();
    lines(&["party", "suspend", CENTRE, "--as", operator]);
    assert!(refused(&["case", "list", "--purpose", "placement_coordination"], 1).contains("party_suspended"));
    lines(&["party", "readmit", CENTRE, "--as", operator]);
    lines(&["case", "list", "--purpose", "placement_coordination"]);
    // What was taken from its registration ends at once.
    let mut registration = json!({"party": CENTRE, "name": {"ja": "試験", "en": "Test"}, "purposes": ["backup_consultation"],
        "key": {"jwk": jwk(&folder), "nbf": 1_790_812_800, "naf": 1_990_812_800}});
    let file = folder.join("update.json");
    fs::write(&file, registration.to_string()).unwrap();
    assert_eq!(lines(&["party", "update", file.to_str().unwrap(), "--as", operator])[0]["act"], "update");
    assert!(refused(&["case", "list", "--purpose", "placement_coordination"], 1).contains("purpose_not_allowed"));
    // What waits would take effect behind what is said later: it goes first.
    server.stop().await;
    assert!(refused(&["party", "suspend", CENTRE, "--as", operator], 3).contains("tsunagi outbox retry"));
    let server = sandbox.serve().await;
    let said = refused(&["party", "readmit", CENTRE, "--as", operator], 2);
    assert!(said.contains("あとから効いて"), "{said}");
    let waiting = lines(&["outbox", "list", "--as", operator]).into_iter().find(|line| line["state"] == "waiting").unwrap();
    lines(&["outbox", "retry", waiting["id"].as_str().unwrap(), "--as", operator]);
    lines(&["party", "readmit", CENTRE, "--as", operator]);
    registration["purposes"] = json!(["no_such_purpose"]);
    fs::write(&file, registration.to_string()).unwrap();
    assert!(refused(&["party", "update", file.to_str().unwrap(), "--as", operator], 2).contains("purposes: form"));
    server.stop().await;
}

fn jwk(folder: &Path) -> Value {
    let mut jwk: Value = serde_json::from_slice(&fs::read(folder.join("signing.jwk")).unwrap()).unwrap();
    jwk.as_object_mut().unwrap().remove("d");
    jwk
}

fn thumbprint(request: &Value) -> String {
    let key = tsunagi::message::keys::PublicKey::from_jwk(&request["key"]["jwk"], tsunagi::message::keys::KeyUse::Sig).unwrap();
    key.thumbprint().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_begins_on_postgresql_with_an_owner_and_a_role_of_its_own() {
    let Some(database) = postgres_stage::database().filter(|_| openssl()) else { return };
    let office = Office::new(Some(&database));
    office.files(&["--database", &database.application()]);
    let owner = office.path("owner-url");
    fs::write(&owner, database.owner()).unwrap();
    fs::set_permissions(&owner, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(office.begin(&["--owner-url-file", owner.to_str().unwrap()])["already"], false);
    office.done(OPERATOR, &["check", "-c", &office.config()]);
    let server = office.sandbox.serve().await;
    let kid = office.party(CENTRE, &["--purpose", "placement_coordination"]);
    office.complete(CENTRE);
    office.done(OPERATOR, &["party", "register", &office.request(CENTRE), "--kid", &kid]);
    office.done(CENTRE, &["key", "add"]);
    server.stop().await;
    office.done(OPERATOR, &["audit", "inspect", "-c", &office.config()]);
}
