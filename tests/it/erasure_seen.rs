//! An erasure while somebody looks: what is missing then is no tampering. An inspection beside it and an export up to a head before it hold.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use tsunagi::{
    gateway::Insight,
    ledger::{
        Entry, LedgerError, Opening,
        inspect::{Anchors, Opened, Openings, Rest, inspect},
        verify::CONSENT_BASES,
    },
    message::schema::SchemaSet,
    store::{self, Sealed, Tag},
    text::audit::Finding,
    tlog::{Quorum, open_checkpoint},
    vault::{Kek, Vault},
};

use crate::{
    erasure_stage::{erase, export, in_both, marked, printed},
    exchange_stage::{AUDITOR, MUNICIPALITY, Sandbox},
    postgres_stage::Database,
    witness_gateway::{auditor_key, note, sandbox_with},
    witness_stage::{Manner, WitnessServer},
};

in_both! {
    "error";
    an_inspection_beside_an_erasure_finds_nothing_wrong,
}

/// Opens what the inspection reads; in between a case is erased.
struct Meanwhile<'a> {
    insight: Insight,
    sandbox: &'a Sandbox,
    case: String,
    before: AtomicU32,
}

#[async_trait]
impl Openings for Meanwhile<'_> {
    async fn open(&self, entry: &Entry, sealed: Sealed) -> Result<Opened, LedgerError> {
        if self.before.fetch_sub(1, Ordering::SeqCst) == 0 {
            assert!(printed(&erase(self.sandbox, &self.case, MUNICIPALITY, &[]))["index"].is_u64());
        }
        self.insight.open(entry, sealed).await
    }

    async fn stored(&self, idx: u64, entry: &Entry, opening: &Opening) -> Result<Vec<(Finding, &'static str)>, LedgerError> {
        self.insight.stored(idx, entry, opening).await
    }

    async fn rest(&self, size: u64) -> Result<Rest, LedgerError> {
        self.insight.rest(size).await
    }

    async fn tags(&self, entry: &Entry, opening: Option<&Opening>) -> Result<Option<Vec<Tag>>, LedgerError> {
        self.insight.tags(entry, opening).await
    }
}

async fn an_inspection_beside_an_erasure_finds_nothing_wrong(sandbox: Sandbox) {
    let server = sandbox.serve().await;
    let url = sandbox.postgres().map_or_else(|| format!("sqlite://{}", sandbox.database().display()), Database::application);
    let store = store::open(&*url).await.unwrap();
    let key = auditor_key(&sandbox);
    for before in [0, 9] {
        let case = marked(&sandbox).await.1.referral.case;
        let vault = Vault::new(&Kek::load(&sandbox.path().join("keys/kek")).unwrap()).unwrap();
        let insight = Insight::new(std::sync::Arc::clone(&store), vault, SchemaSet::builtin().unwrap());
        let meanwhile = Meanwhile { insight, sandbox: &sandbox, case, before: AtomicU32::new(before) };
        let policy = store.head().await.unwrap().policy;
        let anchors = Anchors { key: &key, kept: None, witnesses: &[], consent_bases: CONSENT_BASES, policy };
        let report = inspect(&*store, &meanwhile, &anchors).await.unwrap();
        assert!(meanwhile.before.load(Ordering::SeqCst) > before, "nothing was erased meanwhile");
        assert!(report.holds() && report.openings.erased > 0, "{before}: {:?}", report.problems);
    }
    store.close().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_up_to_a_cosigned_head_goes_on_to_the_erasure_behind_it() {
    let witness = WitnessServer::start("witness.example/w", 41).await;
    let sandbox = sandbox_with(&witness, "");
    let server = sandbox.serve().await;
    let (story, sent) = marked(&sandbox).await;
    let auditor = sandbox.party(AUDITOR);
    let (log, quorum) = (auditor_key(&sandbox), Quorum::new(vec![witness.key()], 1).unwrap());
    let cosigned = async || quorum.open(&note(&auditor, "/v1/ledger/checkpoint/cosigned").await, &log).unwrap().size();
    while cosigned().await <= sent.accepted.index {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    witness.behave(Manner::Status(503));
    let head = cosigned().await;
    let copied = printed(&export(&sandbox, "tiles", "before").1);
    assert_eq!((copied["size"].as_u64(), &copied["holds"]), (Some(head), &true.into()), "{copied}");
    let erased = printed(&erase(&sandbox, &sent.referral.case, MUNICIPALITY, &[]))["index"].as_u64().unwrap();
    assert!(erased >= head);
    let copied = printed(&export(&sandbox, "tiles", "behind").1);
    assert!(copied["holds"] == true && copied["size"].as_u64().unwrap() > erased, "{copied}");
    assert!(copied["openings"]["erased"].as_u64().unwrap() > 0);
    let newest = open_checkpoint(&note(&story.auditor, "/v1/ledger/checkpoint").await, &log).unwrap();
    assert!(newest.size() >= copied["size"].as_u64().unwrap());
    server.stop().await;
}
