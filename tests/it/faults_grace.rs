//! Zero grace, measured (`ledger.md` section 1, promise 6): readers at several gateway processes go on reading while consents are withdrawn, narrowed
//! and superseded, agreements superseded, suspended and revoked, delegations ended, parties suspended, keys declared stolen, policies put in force, and
//! gateways killed. The ledger's own order says whether anything was shown behind the end of its right.
//!
//! `TSUNAGI_GRACE_READS` sets how many reads there are at least. The default suits a change; 10,000 is what the promise is measured with.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
};

use serde_json::Value;
use tokio::time::timeout;
use tsunagi::{
    domain::{
        agreement::Side,
        codes::Purpose,
        consent::{Exception, Item},
        digest::Digest,
        entry::{EntryType, Outcome},
        field::{FieldClass, FieldKey},
    },
    message::{
        keys::{KeyUse, SigningKey},
        objects::{ConsentGiven, KeyAct, KeyStatement, PartyAct, SignedObject as _},
    },
};

use crate::{
    exchange_stage::{
        CENTRE, MUNICIPALITY, SOON, Sandbox, Settings,
        aftermath::{Aftermath, pause},
        agreement::{self, CORE},
        load::{below, cycles},
        party::{Accepted, now},
        policies,
        process::Server,
        rights::{Lapse, Right, resting_on},
        storm::{Door, Storm, Target},
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

async fn zero_grace(sandbox: &Sandbox) {
    let wanted = cycles("TSUNAGI_GRACE_READS", 1_000);
    let mut stage = Stage::open(sandbox).await;
    let mut readers = stage.storm.start();
    let mut rounds = 0;
    while stage.storm.finished() < wanted {
        rounds += 1;
        stage.round(rounds).await;
    }
    stage.storm.done.store(true, Ordering::SeqCst);
    while let Some(ended) = readers.join_next().await {
        ended.unwrap();
    }
    stage.judge(rounds).await;
}

/// Gateways of one ledger with readers at each, and one who ends rights.
struct Stage<'a> {
    sandbox: &'a Sandbox,
    servers: Vec<Option<Server>>,
    storm: Arc<Storm>,
    /// The parties at each gateway, as those who end rights. The centre's key changes.
    gates: Vec<Story>,
    told: Told,
    lapses: Vec<(&'static str, Lapse)>,
    reread: usize,
    /// How often something ended, and the reads that were in work then, all together.
    endings: usize,
    overtaken: usize,
}

impl<'a> Stage<'a> {
    async fn open(sandbox: &'a Sandbox) -> Self {
        let first = sandbox.serve().await;
        let (second, address) = sandbox.serve_another().await;
        let mut gates = Vec::new();
        let mut doors = Vec::new();
        for address in [sandbox.address(), address] {
            gates.push(Story::open(sandbox).await.at(address));
            doors.push(Door::open(sandbox, address));
        }
        let storm = Arc::new(Storm::new(doors));
        let servers = vec![Some(first), Some(second)];
        Self { sandbox, servers, storm, gates, told: Told::default(), lapses: Vec::new(), reread: 0, endings: 0, overtaken: 0 }
    }

    async fn round(&mut self, round: usize) {
        self.consents().await;
        self.kill().await;
        self.agreements(round).await;
        self.party().await;
        self.stolen_key().await;
        self.policies(round).await;
    }

    /// Withdrawn; narrowed, then superseded by a narrower one, then that one withdrawn.
    async fn consents(&mut self) {
        let collector = self.gates[0].centre.id.clone();
        let consent_of = |jti| Right::Consent { jti, collector: collector.clone() };

        let sent = self.refer().await;
        let consent = sent.referral.consent.clone();
        let end = self.gates[0].sign_end(&consent, None);
        self.end("withdrawn", consent_of(consent.jti), async |gate| gate.register_end(&consent, &end).await.unwrap()).await;

        let given = self.gates[0].consent();
        let first = self.gates[0].sign_consent(&given);
        self.refer_under(first.clone()).await;
        let rows = self.rows(FieldClass::Residence);
        let narrow =
            Exception { rcp: vec![Side::Party(self.gates[0].municipality.id.clone())], pur: None, cls: Some(vec![FieldClass::Residence]) };
        let end = self.gates[0].sign_end(&first, Some(vec![narrow.clone()]));
        self.end("narrowed", Right::Rows { consent: first.jti, rows }, async |gate| gate.register_end(&first, &end).await.unwrap()).await;

        let left = |list: &[FieldClass]| list.iter().copied().filter(|class| *class != FieldClass::Medical).collect();
        let items = given.items.iter().map(|item| Item { cls: left(&item.cls), tick: left(&item.tick), ..item.clone() }).collect();
        let later = ConsentGiven { issued: self.gates[0].centre.issued(), sup: Some(first.jti), items, refused: vec![narrow], ..given };
        let second = self.gates[0].sign_consent(&later);
        self.end("superseded consent", consent_of(first.jti), async |gate| gate.register(&second).await.unwrap()).await;
        let end = self.gates[0].sign_end(&second, None);
        self.end("withdrawn", consent_of(second.jti), async |gate| gate.register_end(&second, &end).await.unwrap()).await;
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
        self.refer().await;
        self.delegate().await;
        self.warm().await;

        self.overtake();
        let (second, ended) = agreement::settle(sandbox, &agreement::version(&id, 2, &fewer, false));
        let terms = Right::Terms { id: first.id.clone(), ver: 1, rows: self.rows(FieldClass::Wishes) };
        for (what, right) in
            [("superseded agreement", terms), ("new under it", Right::Version(first.id.clone(), 1)), ("ended delegation", delegation)]
        {
            self.lapse(what, right, ended);
        }
        self.warm().await;

        let name = format!("{id}/2");
        let index = |said: &Value| said["index"].as_u64().unwrap();
        self.overtake();
        let ended = index(&agreement::say(sandbox, CORE, &["suspend", &name]));
        self.lapse("suspended agreement", Right::Agreement(second.id.clone()), ended);
        self.warm().await;
        let resumed = [CORE, CENTRE, MUNICIPALITY].map(|party| index(&agreement::say(sandbox, party, &["resume", &name])));
        self.restore(&Right::Agreement(second.id.clone()), resumed[2]);
        self.warm().await;
        self.overtake();
        let ended = index(&agreement::say(sandbox, MUNICIPALITY, &["revoke", &name]));
        self.lapse("revoked agreement", Right::Agreement(second.id.clone()), ended);
        self.warm().await;
        self.use_agreement(&usual);
    }

    async fn party(&mut self) {
        self.refer().await;
        let reader = self.gates[0].municipality.id.clone();
        let right = Right::Party(reader.clone());
        self.end("suspended party", right, async |gate| gate.operate(PartyAct::Suspend, &reader).await.unwrap()).await;
        let readmitted = self.gate().operate(PartyAct::Readmit, &reader).await.unwrap();
        self.told.accepted(&readmitted);
        self.restore(&Right::Party(reader), readmitted.index);
        self.warm().await;
    }

    /// A message whose signer's key is declared stolen since before it was sent.
    async fn stolen_key(&mut self) {
        // The time of the entry decides, to the second.
        let before = now().plus_secs(1);
        while now() <= before {
            pause().await;
        }
        let sent = self.refer().await;
        let new = SigningKey::generate().unwrap();
        let (add, stolen) = {
            let centre = &self.gates[0].centre;
            let statement = |act, key: &SigningKey| KeyStatement {
                issued: centre.issued(),
                act,
                purpose: KeyUse::Sig,
                jwk: key.public().clone(),
                nbf: None,
                naf: None,
                pop: None,
                compromised_at: None,
            };
            let add = KeyStatement { nbf: Some(now()), naf: Some(now().plus_secs(86_400)), ..statement(KeyAct::Add, &new) };
            let stolen = KeyStatement { compromised_at: Some(before), ..statement(KeyAct::Compromised, &centre.signing) };
            (add.sign_with_proof(&centre.signing, &new).unwrap(), stolen.sign(&new).unwrap())
        };
        self.told.accepted(&self.gate().centre.post_object(KEYS, Purpose::Administration, &add).await.unwrap());
        for gate in &mut self.gates {
            gate.centre.signing = SigningKey::from_jwk(&new.to_jwk()).unwrap();
        }
        let right = Right::Messages(BTreeSet::from([sent.message.jti]));
        self.end("stolen key", right, async |gate| gate.centre.post_object(KEYS, Purpose::Administration, &stolen).await.unwrap()).await;
    }

    /// Another set is put in force: what is decided from then on is decided by it.
    async fn policies(&mut self, round: usize) {
        self.refer().await;
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
        self.warm().await;
        self.overtake();
        let done = policies::activate(self.sandbox);
        let (index, old): (u64, Digest) = (done["index"].as_u64().unwrap(), serde_json::from_value(done["old"].clone()).unwrap());
        let new: Digest = serde_json::from_value(done["new"].clone()).unwrap();
        self.restore(&Right::Policy(new), index);
        self.lapse("policies", Right::Policy(old), index);
        self.warm().await;
    }

    /// A gateway is killed right behind the end of a right, and comes back.
    async fn kill(&mut self) {
        let sent = self.refer().await;
        let consent = sent.referral.consent;
        let end = self.gates[0].sign_end(&consent, None);
        let right = Right::Consent { jti: consent.jti, collector: self.gates[0].centre.id.clone() };
        self.warm().await;
        let killed = usize::try_from(below(2)).unwrap();
        let ended = self.gates[killed].register_end(&consent, &end).await.unwrap();
        self.servers[killed].take().unwrap().kill();
        self.told.accepted(&ended);
        self.lapse("withdrawn before a kill", right, ended.index);
        self.servers[killed] = Some(if killed == 0 { self.sandbox.serve().await } else { self.sandbox.resume_another().await });
        let again = self.gates[killed].register_end(&consent, &end).await.unwrap();
        assert_eq!(again.index, ended.index, "it ended once");
        self.warm().await;
    }

    /// Ends a right at some gateway, in the middle of reads.
    async fn end(&mut self, what: &'static str, right: Right, ending: impl AsyncFnOnce(&Story) -> Accepted) {
        self.warm().await;
        self.overtake();
        let ended = ending(self.gate()).await;
        self.told.accepted(&ended);
        self.lapse(what, right, ended.index);
        self.warm().await;
    }

    fn lapse(&mut self, what: &'static str, right: Right, from: u64) {
        self.lapses.push((what, Lapse { right, from, until: None }));
    }

    /// A right that had ended is back.
    fn restore(&mut self, right: &Right, index: u64) {
        for (_, lapse) in self.lapses.iter_mut().filter(|(_, lapse)| lapse.right == *right) {
            lapse.until.get_or_insert(index);
        }
    }

    fn overtake(&mut self) {
        self.endings += 1;
        self.overtaken += self.storm.in_work();
    }

    /// Waits for reads that begin from now on.
    async fn warm(&self) {
        let goal = self.storm.begun.load(Ordering::SeqCst) + WARM;
        let warm = async {
            while self.storm.finished() < goal {
                pause().await;
            }
        };
        timeout(SOON, warm).await.expect("the readers stand still");
    }

    fn gate(&self) -> &Story {
        &self.gates[usize::try_from(below(2)).unwrap()]
    }

    async fn refer(&mut self) -> Sent {
        let consent = self.gates[0].sign_consent(&self.gates[0].consent());
        self.refer_under(consent).await
    }

    /// A case that is read from now on, beside the few before it.
    async fn refer_under(&mut self, consent: Consent) -> Sent {
        let sent = self.gates[0].refer_under(consent).await;
        self.told.message(&sent.message, &sent.accepted);
        self.storm.aim(Target { delegate: false, path: format!("/v1/cases/{}", sent.referral.case) });
        sent
    }

    /// The core centre reads what it is a delegate for.
    async fn delegate(&self) {
        let page = self.storm.doors[0].core.json("/v1/cases", PLACEMENT).await.unwrap();
        for case in page["cases"].as_array().unwrap() {
            self.storm.aim(Target { delegate: true, path: format!("/v1/cases/{}", case["case"].as_str().unwrap()) });
        }
    }

    fn use_agreement(&mut self, agreement: &tsunagi::message::submission::AgreementRef) {
        for gate in &mut self.gates {
            gate.agreement = agreement.clone();
        }
    }

    fn rows(&self, class: FieldClass) -> BTreeSet<FieldKey> {
        self.gates[0].classes.iter().filter(|(_, of)| **of == class).map(|(row, _)| row.clone()).collect()
    }

    async fn judge(mut self, rounds: usize) {
        let lapses: Vec<Lapse> = self.lapses.iter().map(|(_, lapse)| lapse.clone()).collect();
        let aftermath = Aftermath::of(self.sandbox, &self.gates[0], &self.told, &lapses).await;
        let records = &aftermath.ledger.records;
        for (what, lapse) in &self.lapses {
            let rests = resting_on(records, &lapse.right);
            assert!(rests.iter().any(|index| *index < lapse.from), "nothing rested on what ended: {what}");
        }
        let reads = self.storm.finished();
        let seen = std::mem::take(&mut *self.storm.seen.lock().unwrap());
        for (index, leaf) in &seen.shown {
            let record = &records[usize::try_from(*index).unwrap()];
            let release = (record.entry.entry_type, record.entry.decision) == (EntryType::Release, Outcome::Permit);
            assert!(release && record.leaf == *leaf, "{index}: shown without its entry");
        }
        let indexes: BTreeSet<u64> = seen.shown.iter().map(|(index, _)| *index).collect();
        assert_eq!(indexes.len(), seen.shown.len(), "one entry covers two releases");
        let mut ended: BTreeMap<&str, usize> = BTreeMap::new();
        for (what, _) in &self.lapses {
            *ended.entry(what).or_default() += 1;
        }
        eprintln!(
            "{reads} reads at {} gateways in {rounds} rounds, {} shown, refused {:?}, {} broken; ended {ended:?}, {} reads in work meanwhile",
            self.servers.len(),
            seen.shown.len(),
            seen.refused,
            seen.broken,
            self.overtaken
        );
        for code in ["consent_ended", "agreement_not_in_force", "party_suspended", "key_revoked", "not_found"] {
            assert!(seen.refused.contains_key(code), "no read came too late for {code}");
        }
        assert!(self.overtaken >= self.endings && seen.broken > 0, "the rights did not end in the middle");
        for server in &mut self.servers {
            server.take().unwrap().stop().await;
        }
    }
}

/// Reads on either side of the end of a right.
const WARM: usize = 24;
const KEYS: &str = "/v1/parties/self/keys";
