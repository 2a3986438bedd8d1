//! A sandbox in which one referral was made and read: what refusals are provoked against.

use std::{cell::RefCell, collections::BTreeMap, fs, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tsunagi::{
    clock::{Clock as _, SystemClock},
    domain::{agreement::AgreementAct, codes::Purpose, digest::Digest, ids::Jti, refusal::RefusalCode},
    message::{
        compose::Draft,
        key_binding::Nonce,
        objects::{AgreementSignature, SignedObject as _},
        submission::AgreementRef,
    },
    tls::authority::{Issued, SandboxAuthority, Validity},
};
use uuid::Uuid;

use super::Noted;
use crate::exchange_stage::{
    AUDITOR, CENTRE, MUNICIPALITY, OPERATOR, Sandbox, Settings,
    party::Party,
    process::Server,
    story::{Consent, Message, PLACEMENT, Story},
};

pub(crate) const CORE: &str = "core_center:131016-1";
pub(crate) const OFFICE: &str = "consultation_office:1330100015";
pub(crate) const HOME: &str = "group_home:1320100017";
pub(crate) const DAY: &str = "day_service:1310100019";
pub(crate) const PROBATION: &str = "probation_office:13-1";
const EVERYBODY: [&str; 9] = [CENTRE, MUNICIPALITY, CORE, OFFICE, HOME, DAY, PROBATION, AUDITOR, OPERATOR];

/// The sandbox and what happened in it.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) server: Server,
    pub(crate) story: Story,
    pub(crate) referral: Referred,
    /// A consent that no case is bound to.
    pub(crate) spare: Consent,
    /// Values of the message that no refusal may repeat.
    pub(crate) personal: Vec<String>,
    parties: BTreeMap<&'static str, Arc<Party>>,
    expected: RefCell<Vec<Noted>>,
}

/// A referral from the centre to the municipality, read once.
pub(crate) struct Referred {
    pub(crate) consent: Consent,
    pub(crate) message: Message,
    pub(crate) at_centre: String,
    pub(crate) at_municipality: String,
    pub(crate) rel: Jti,
    pub(crate) sd_hash: Digest,
}

impl World {
    pub(crate) async fn open() -> Self {
        Self::open_with("").await
    }

    /// With further lines in the section `[limits]` of the configuration.
    pub(crate) async fn open_with(limits: &str) -> Self {
        let sandbox = Sandbox::new(Settings::default());
        let config = fs::read_to_string(sandbox.config()).unwrap();
        fs::write(sandbox.config(), config.replace("[limits]\n", &format!("[limits]\n{limits}\n"))).unwrap();
        let server = sandbox.serve().await;
        let story = Story::open(&sandbox).await;
        let consent = story.sign_consent(&story.consent());
        story.register(&consent).await.unwrap();
        let message = story.sign(&story.draft(&consent));
        let accepted = story.submit(&message).await.unwrap();
        let (cases, _) = story.cases(None).await.unwrap();
        let read = story.read(&cases[0], PLACEMENT).await.unwrap();
        let spare = story.sign_consent(&story.consent());
        story.register(&spare).await.unwrap();
        let referral = Referred {
            consent,
            message,
            at_centre: accepted.subject["case"].as_str().unwrap().to_owned(),
            at_municipality: cases[0].clone(),
            rel: read.release.binding.jti,
            sd_hash: read.release.sd_hash,
        };
        let texts = story.body.iter().filter_map(|(_, value)| value.as_str());
        let personal = texts.filter(|text| !text.is_ascii() && text.chars().count() > 2).map(str::to_owned).collect();
        let parties = EVERYBODY.iter().map(|party| (*party, Arc::new(sandbox.party(party)))).collect();
        Self { sandbox, server, story, referral, spare, personal, parties, expected: RefCell::default() }
    }

    /// The same world behind another run of the gateway, with another configuration.
    pub(crate) async fn reconfigured(self, change: impl Fn(&str) -> String) -> Self {
        let Self { sandbox, server, story, referral, spare, personal, parties, expected } = self;
        server.stop().await;
        fs::write(sandbox.config(), change(&fs::read_to_string(sandbox.config()).unwrap())).unwrap();
        let server = sandbox.serve().await;
        Self { sandbox, server, story, referral, spare, personal, parties, expected }
    }

    pub(crate) fn party(&self, party: &str) -> &Arc<Party> {
        &self.parties[party]
    }

    pub(crate) fn centre(&self) -> &Arc<Party> {
        self.party(CENTRE)
    }

    pub(crate) fn municipality(&self) -> &Arc<Party> {
        self.party(MUNICIPALITY)
    }

    /// A party of the sandbox with a certificate from its authority that names these.
    pub(crate) fn with_certificate(&self, party: &str, uris: &[&str]) -> Arc<Party> {
        let authority = SandboxAuthority::load(&self.sandbox.path().join("ca")).unwrap();
        self.certified(party, uris, &authority)
    }

    /// A party of the sandbox with a certificate from an authority that nobody knows.
    pub(crate) fn with_foreign_certificate(&self, party: &str) -> Arc<Party> {
        let authority = SandboxAuthority::create(SystemClock.now()).unwrap();
        self.certified(party, &[&format!("urn:tsunagi:party:{party}")], &authority)
    }

    fn certified(&self, party: &str, uris: &[&str], authority: &SandboxAuthority) -> Arc<Party> {
        let folder = tempfile::tempdir().unwrap();
        let own = self.sandbox.identity(&party.parse().unwrap());
        for entry in fs::read_dir(own).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let Issued { cert_pem, key_pem, .. } = authority.issue_client_with_uris(uris, Validity::days(SystemClock.now(), 1)).unwrap();
        fs::write(folder.path().join("tls.pem"), cert_pem).unwrap();
        fs::write(folder.path().join("tls.key"), key_pem.as_bytes()).unwrap();
        Arc::new(Party::load(folder.path()))
    }

    /// A referral that would be accepted, before it is signed.
    pub(crate) fn draft(&self) -> Draft {
        self.story.draft(&self.spare)
    }

    /// How many requests were refused with a code before a party was known.
    pub(crate) async fn unauthenticated(&self, code: RefusalCode) -> u64 {
        let (_, metrics) = self.server.admin("/metrics").await.unwrap();
        let line = format!("tsunagi_requests_total{{operation=\"unknown\",code=\"{code}\"}} ");
        metrics.lines().find_map(|found| found.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
    }

    /// The ledger will have one more refusal.
    pub(crate) fn expect(&self, party: &str, operation: &str, reason: &str) {
        let noted = Noted { party: party.to_owned(), operation: operation.to_owned(), reason: reason.to_owned() };
        self.expected.borrow_mut().push(noted);
    }

    pub(crate) fn expected(&self) -> Vec<Noted> {
        self.expected.borrow().clone()
    }
}

pub(crate) fn nonce() -> Nonce {
    Uuid::new_v4().simple().to_string().parse().unwrap()
}

/// The centre and others conclude an agreement with the flows of the sandbox's own, to which nobody may accede.
pub(crate) async fn conclude(story: &Story, others: &[&Party], id: &str, delegations: &Value) -> AgreementRef {
    let Story { centre, agreement, .. } = story;
    let answer = centre.open_data(&format!("/v1/agreements/{}/{}", agreement.id, agreement.ver)).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let mut document: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(answer["document"].as_str().unwrap()).unwrap()).unwrap();
    document["id"] = id.into();
    document["parties"] = std::iter::once(&centre.id).chain(others.iter().map(|party| &party.id)).map(|party| json!(party)).collect();
    document["acceding"] = json!([]);
    document["delegations"] = delegations.clone();
    let bytes = document.to_string();
    let agr = AgreementRef { id: id.parse().unwrap(), ver: 1, sha256: Digest::of(bytes.as_bytes()) };
    let says =
        |by: &Party| AgreementSignature { issued: by.issued(), agr: agr.clone(), act: AgreementAct::Accept }.sign(&by.signing).unwrap();
    let body = json!({"document": URL_SAFE_NO_PAD.encode(&bytes), "signature": says(centre)}).to_string();
    centre.post("/v1/agreements", Purpose::Administration, "application/json", body).await.unwrap();
    for other in others {
        let target = format!("/v1/agreements/{id}/1/signatures");
        other.post_object(&target, Purpose::Administration, &says(other)).await.unwrap();
    }
    agr
}
