//! Zero grace, measured (`ledger.md` section 1, promise 6): several processes of readers at several gateways go on reading while consents are withdrawn,
//! narrowed and superseded, agreements superseded, suspended and revoked, delegations ended, cases reassigned, parties suspended, keys declared stolen,
//! policies put in force, and gateways killed right behind any of it. The ledger's own order says whether anything was shown behind the end of its
//! right.
//!
//! `TSUNAGI_GRACE_READS` sets how many reads there are at least on each database. The default makes 10,000 on both together.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::Value;
use tsunagi::{
    domain::{
        agreement::Side,
        consent::{Exception, Item},
        digest::Digest,
        entry::{EntryType, Outcome},
        field::{FieldClass, FieldKey},
    },
    message::{
        keys::SigningKey,
        objects::{ConsentGiven, KeyAct, KeyStatement, PartyAct},
        submission::AgreementRef,
    },
};

use crate::{
    exchange_stage::{
        CENTRE, MUNICIPALITY, Sandbox, Settings,
        aftermath::{Aftermath, pause},
        agreement::{self, CORE},
        endings::{Ending, Met, meetings, present},
        inside::Inside,
        load::{below, cycles},
        party::{Accepted, now},
        policies,
        process::Server,
        reader::{self, Read},
        rights::{Lapse, Right},
        storm::{SOCKET, Storm, Target},
        story::{Consent, PLACEMENT, Sent, Story},
        told::Told,
    },
    postgres_stage,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_at_any_gateway_follows_the_end_of_its_right() {
    zero_grace(&policies::sandbox(Settings::default())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_at_any_gateway_on_postgresql_follows_the_end_of_its_right() {
    let Some(database) = postgres_stage::database() else { return };
    zero_grace(&policies::sandbox_on(Settings::default(), Some(&database))).await;
}

/// One of the processes of readers: not a test of its own.
#[tokio::test]
#[ignore = "the tests of zero grace start it, as a process of its own"]
async fn readers_read_until_they_are_told_to_end() {
    let socket = std::env::var_os(SOCKET).expect("only the tests of zero grace start this");
    reader::read_for(socket.as_ref()).await;
}

async fn zero_grace(sandbox: &Sandbox) {
    let wanted = cycles("TSUNAGI_GRACE_READS", 5_000);
    let mut stage = Stage::open(sandbox).await;
    let mut rounds = 0;
    // In two rounds a gateway is killed behind every kind of end.
    while rounds < 2 || stage.storm.answered() < wanted {
        rounds += 1;
        stage.round(rounds).await;
    }
    stage.judge(rounds).await;
}

/// Gateways of one ledger with readers at each, and one who ends rights.
struct Stage<'a> {
    sandbox: &'a Sandbox,
    servers: Vec<Option<Server>>,
    /// A gateway of the test's own on the same ledger.
    inside: Inside,
    storm: Storm,
    /// The parties at each gateway, as those who end rights. The centre's key changes.
    gates: Vec<Story>,
    told: Told,
    endings: Vec<Ending>,
    round: usize,
    /// Entries of this round that ended something.
    turn: usize,
    reread: usize,
}

/// What has ended, and at which entry.
struct End {
    what: &'static str,
    right: Right,
    index: u64,
    met: Met,
}

impl<'a> Stage<'a> {
    async fn open(sandbox: &'a Sandbox) -> Self {
        let first = sandbox.serve().await;
        let (second, address) = sandbox.serve_another().await;
        let addresses = [sandbox.address(), address];
        let mut gates = Vec::new();
        for address in addresses {
            gates.push(Story::open(sandbox).await.at(address));
        }
        let inside = Inside::open(sandbox).await;
        let storm = Storm::start(sandbox, &addresses, "faults_grace::readers_read_until_they_are_told_to_end").await;
        let servers = vec![Some(first), Some(second)];
        Self { sandbox, servers, inside, storm, gates, told: Told::default(), endings: Vec::new(), round: 0, turn: 0, reread: 0 }
    }

    async fn round(&mut self, round: usize) {
        (self.round, self.turn) = (round, 0);
        self.consents().await;
        self.agreements(round).await;
        self.party().await;
        self.case().await;
        self.stolen_key().await;
        self.policies(round).await;
    }

    /// Withdrawn; narrowed, then superseded by a narrower one, then that one withdrawn.
    async fn consents(&mut self) {
        let collector = self.gates[0].centre.id.clone();
        let consent_of = |jti| Right::Consent { jti, collector: collector.clone() };
        let withdrawn = |path: &str| Met::Refused(path.to_owned(), "consent_ended");

        let (sent, path) = self.refer().await;
        let consent = sent.referral.consent.clone();
        let end = self.gates[0].sign_end(&consent, None);
        let ending = async |gate: &Story| gate.register_end(&consent, &end).await.unwrap();
        let ended = self.end("consent withdrawn", consent_of(consent.jti), withdrawn(&path), ending).await;
        let again = self.gate().register_end(&consent, &end).await.unwrap();
        assert_eq!(again.index, ended, "it ended once");

        let given = self.gates[0].consent();
        let first = self.gates[0].sign_consent(&given);
        let (_, path) = self.refer_under(first.clone()).await;
        let rows = self.rows(FieldClass::Residence);
        let narrow =
            Exception { rcp: vec![Side::Party(self.gates[0].municipality.id.clone())], pur: None, cls: Some(vec![FieldClass::Residence]) };
        let end = self.gates[0].sign_end(&first, Some(vec![narrow.clone()]));
        let right = Right::Rows { consent: first.jti, rows };
        let ending = async |gate: &Story| gate.register_end(&first, &end).await.unwrap();
        self.end("consent narrowed", right, Met::Less(path.clone()), ending).await;

        let left = |list: &[FieldClass]| list.iter().copied().filter(|class| *class != FieldClass::Medical).collect();
        let items = given.items.iter().map(|item| Item { cls: left(&item.cls), tick: left(&item.tick), ..item.clone() }).collect();
        let later = ConsentGiven { issued: self.gates[0].centre.issued(), sup: Some(first.jti), items, refused: vec![narrow], ..given };
        let second = self.gates[0].sign_consent(&later);
        let ending = async |gate: &Story| gate.register(&second).await.unwrap();
        self.end("consent superseded", consent_of(first.jti), Met::Less(path.clone()), ending).await;
        let end = self.gates[0].sign_end(&second, None);
        let ending = async |gate: &Story| gate.register_end(&second, &end).await.unwrap();
        self.end("consent withdrawn", consent_of(second.jti), withdrawn(&path), ending).await;
    }

    /// A version superseded by one without a class and without the delegation, that one suspended, resumed, revoked.
    async fn agreements(&mut self, round: usize) {
        let id = format!("AG-13-{:04}", 1_000 + round);
        let (sandbox, usual) = (self.sandbox, self.gates[0].agreement.clone());
        let all = agreement::classes(&self.gates[0]);
        let fewer: Vec<FieldClass> = all.iter().copied().filter(|class| *class != FieldClass::Wishes).collect();
        let (first, made) = agreement::settle(sandbox, &agreement::version(&id, 1, &all, true));
        let delegation = Right::Delegation { by: MUNICIPALITY.parse().unwrap(), to: CORE.parse().unwrap() };
        self.restore(&delegation, made);
        self.use_agreement(&first);
        let (_, path) = self.refer().await;
        let delegated = self.delegate().await;
        self.shown(&delegated).await;

        let asked = present();
        let (second, index) = agreement::settle(sandbox, &agreement::version(&id, 2, &fewer, false));
        let terms = Right::Terms { id: first.id.clone(), ver: 1, rows: self.rows(FieldClass::Wishes) };
        let version = Right::Version(first.id.clone(), 1);
        let ends = [
            End { what: "agreement superseded", right: terms, index, met: Met::Less(path.clone()) },
            End { what: "new under it", right: version, index, met: Met::Never },
            End { what: "delegation ended", right: delegation, index, met: Met::Refused(delegated, "not_found") },
        ];
        self.ended(asked, ends).await;

        let name = format!("{id}/2");
        let index = |said: &Value| said["index"].as_u64().unwrap();
        let right = Right::Agreement(second.id.clone());
        let met = || Met::Refused(path.clone(), "agreement_not_in_force");
        let asked = present();
        let ended = index(&agreement::say(sandbox, CORE, &["suspend", &name]));
        self.ended(asked, [End { what: "agreement suspended", right: right.clone(), index: ended, met: met() }]).await;
        let resumed = [CORE, CENTRE, MUNICIPALITY].map(|party| index(&agreement::say(sandbox, party, &["resume", &name])));
        self.restore(&right, resumed[2]);
        self.shown(&path).await;
        let asked = present();
        let ended = index(&agreement::say(sandbox, MUNICIPALITY, &["revoke", &name]));
        self.ended(asked, [End { what: "agreement revoked", right, index: ended, met: met() }]).await;
        self.use_agreement(&usual);
    }

    async fn party(&mut self) {
        let (_, path) = self.refer().await;
        let reader = self.gates[0].municipality.id.clone();
        let right = Right::Party(reader.clone());
        let ending = async |gate: &Story| gate.operate(PartyAct::Suspend, &reader).await.unwrap();
        self.end("party suspended", right.clone(), Met::Refused(path.clone(), "party_suspended"), ending).await;
        let readmitted = self.gate().operate(PartyAct::Readmit, &reader).await.unwrap();
        self.told.accepted(&readmitted);
        self.restore(&right, readmitted.index);
        self.shown(&path).await;
    }

    async fn case(&mut self) {
        let (sent, path) = self.refer().await;
        let party = self.gates[0].municipality.id.clone();
        self.shown(&path).await;
        let asked = present();
        let (case, index) = self.inside.reassign(&party, &sent.referral.case).await;
        let met = Met::Refused(path, "not_found");
        self.ended(asked, [End { what: "case reassigned", right: Right::Case { case, party }, index, met }]).await;
    }

    /// A message whose signer's key is declared stolen since before it was sent.
    async fn stolen_key(&mut self) {
        // The time of the entry decides, to the second.
        let before = now().plus_secs(1);
        while now() <= before {
            pause().await;
        }
        let (sent, path) = self.refer().await;
        let new = SigningKey::generate().unwrap();
        let centre = &self.gates[0].centre;
        let stolen = KeyStatement { compromised_at: Some(before), ..centre.key_statement(KeyAct::Compromised, &centre.signing) };
        let added = self.gate().centre.add_key(&new).await.unwrap();
        self.told.accepted(&added);
        for gate in &mut self.gates {
            gate.centre.signing = SigningKey::from_jwk(&new.to_jwk()).unwrap();
        }
        // The commands of the next round sign with it too.
        fs::write(self.sandbox.identity(&self.gates[0].centre.id).join("signing.jwk"), new.to_jwk()).unwrap();
        let right = Right::Messages(BTreeSet::from([sent.message.jti]));
        let ending = async |gate: &Story| gate.centre.say_of_key(&stolen, &gate.centre.signing).await.unwrap();
        self.end("key stolen", right, Met::Refused(path, "key_revoked"), ending).await;
    }

    /// Another set is put in force: what is decided from then on is decided by it.
    async fn policies(&mut self, round: usize) {
        let (_, path) = self.refer().await;
        let folder = policies::policies(self.sandbox);
        if round % 2 == 1 {
            policies::narrow(&folder);
        } else {
            policies::widen(&folder);
        }
        for server in self.servers.iter().flatten() {
            policies::reread(server);
            self.reread += 1;
            policies::logged(self.sandbox, "policies were read again; they are used once", self.reread).await;
        }
        self.inside.offer(&folder);
        self.shown(&path).await;
        let asked = present();
        let done = policies::activate(self.sandbox);
        let (index, old): (u64, Digest) = (done["index"].as_u64().unwrap(), serde_json::from_value(done["old"].clone()).unwrap());
        let new: Digest = serde_json::from_value(done["new"].clone()).unwrap();
        self.restore(&Right::Policy(new), index);
        self.ended(asked, [End { what: "policies changed", right: Right::Policy(old), index, met: Met::Less(path) }]).await;
    }

    /// Ends a right at some gateway, in the middle of reads; gives the index of the entry.
    async fn end(&mut self, what: &'static str, right: Right, met: Met, ending: impl AsyncFnOnce(&Story) -> Accepted) -> u64 {
        if let Met::Refused(path, _) | Met::Less(path) = &met {
            self.shown(path).await;
        }
        let asked = present();
        let ended = ending(self.gate()).await;
        self.told.accepted(&ended);
        self.ended(asked, [End { what, right, index: ended.index, met }]).await;
        ended.index
    }

    /// Rights ended with one entry, just now. A gateway is killed right behind every other such entry, in the next round behind those between. Reads go
    /// on until each end was met.
    async fn ended<const N: usize>(&mut self, asked: i64, ends: [End; N]) {
        let (acknowledged, which) = (present(), usize::try_from(below(2)).unwrap());
        self.turn += 1;
        let killed = (self.turn + self.round).is_multiple_of(2);
        if killed {
            self.servers[which].take().unwrap().kill();
            self.servers[which] = Some(if which == 0 { self.sandbox.serve().await } else { self.sandbox.resume_another().await });
        }
        for End { what, right, index, met } in ends {
            let ending = Ending { what, lapse: Lapse { right, from: index, until: None }, met, asked, acknowledged, killed };
            if ending.met != Met::Never {
                self.storm.until(what, |read| ending.met_behind(read)).await;
            }
            self.endings.push(ending);
        }
    }

    /// A right that had ended is back.
    fn restore(&mut self, right: &Right, index: u64) {
        for ending in self.endings.iter_mut().filter(|ending| ending.lapse.right == *right) {
            ending.lapse.until.get_or_insert(index);
        }
    }

    /// Waits until readers are shown what is at a path.
    async fn shown(&self, path: &str) {
        let since = present();
        self.storm.until(path, |read| read.path == path && read.began > since && read.shown().is_some()).await;
    }

    fn gate(&self) -> &Story {
        &self.gates[usize::try_from(below(2)).unwrap()]
    }

    async fn refer(&mut self) -> (Sent, String) {
        let consent = self.gates[0].sign_consent(&self.gates[0].consent());
        self.refer_under(consent).await
    }

    /// A case that is read from now on, beside the few before it; and where.
    async fn refer_under(&mut self, consent: Consent) -> (Sent, String) {
        let sent = self.gates[0].refer_under(consent).await;
        self.told.message(&sent.message, &sent.accepted);
        let path = format!("/v1/cases/{}", sent.referral.case);
        self.storm.aim(&Target { delegate: false, path: path.clone() }).await;
        (sent, path)
    }

    /// The core centre reads what it is a delegate for; gives where.
    async fn delegate(&mut self) -> String {
        let core = self.sandbox.party(CORE);
        let page = core.json("/v1/cases", PLACEMENT).await.unwrap();
        let [case] = page["cases"].as_array().unwrap().as_slice() else { panic!("{page}") };
        let path = format!("/v1/cases/{}", case["case"].as_str().unwrap());
        self.storm.aim(&Target { delegate: true, path: path.clone() }).await;
        path
    }

    fn use_agreement(&mut self, agreement: &AgreementRef) {
        for gate in &mut self.gates {
            gate.agreement = agreement.clone();
        }
    }

    fn rows(&self, class: FieldClass) -> BTreeSet<FieldKey> {
        self.gates[0].classes.iter().filter(|(_, of)| **of == class).map(|(row, _)| row.clone()).collect()
    }

    async fn judge(mut self, rounds: usize) {
        let processes = self.storm.processes();
        let reads = self.storm.end().await;
        self.inside.close().await;
        let lapses: Vec<Lapse> = self.endings.iter().map(|ending| ending.lapse.clone()).collect();
        let aftermath = Aftermath::of(self.sandbox, &self.gates[0], &self.told, &lapses).await;
        let records = &aftermath.ledger.records;
        let mut shown = BTreeSet::new();
        for (index, leaf) in reads.iter().filter_map(|read| read.shown().zip(read.leaf())) {
            let record = &records[usize::try_from(index).unwrap()];
            let release = (record.entry.entry_type, record.entry.decision) == (EntryType::Release, Outcome::Permit);
            assert!(release && record.leaf == leaf, "{index}: shown without its entry");
            assert!(shown.insert(index), "{index}: one entry covers two releases");
        }
        let met = meetings(&self.endings, &reads, records);
        let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
        for code in reads.iter().filter_map(Read::refused) {
            *refused.entry(code).or_default() += 1;
        }
        let broken = reads.len() - shown.len() - refused.values().sum::<usize>();
        eprintln!(
            "{} reads and {broken} that broke, by {processes} processes at {} gateways in {rounds} rounds: {} shown, refused {refused:?}",
            reads.len() - broken,
            self.servers.len(),
            shown.len(),
        );
        for (what, met) in met {
            eprintln!("{what}: {met}");
            assert!(met.killed > 0, "no gateway was killed behind it: {what}");
        }
        assert!(broken > 0, "no kill hit a read");
        for server in &mut self.servers {
            server.take().unwrap().stop().await;
        }
    }
}
