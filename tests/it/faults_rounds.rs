//! What moves between a decision and its entry. A decision is taken again when its ground moved, the third time under the head lock (`ledger.md`
//! section 4): these tests move it before every round, and whatever round decides, decides by what is in force at its entry.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use tokio::task::JoinSet;
use tsunagi::{
    domain::{
        codes::Purpose,
        entry::{EntryType, Operation, Outcome},
        field::{FieldClass, FieldKey},
        refusal::RefusalCode,
    },
    gateway::Failure,
    ledger::LedgerError,
};

use crate::exchange_stage::{
    Sandbox, Settings,
    inside::{Inside, Step, activation, present},
    ledger::{Ledger, Record},
    party::Setback,
    policies,
    process::Server,
    rights::{Lapse, Right, breaches, resting_on, told_by},
    story::{BENEFIT, PLACEMENT, Referral, Story},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_that_change_before_every_round_leave_the_entry_to_the_last() {
    let stage = Stage::new().await;
    let (old, new) = (stage.folder("old", false), stage.folder("new", true));
    let (old_set, new_set) = (stage.inside.offer(&old), stage.inside.offer(&new));
    let disability: BTreeSet<FieldKey> =
        stage.story.classes.iter().filter(|(_, class)| **class == FieldClass::Disability).map(|(row, _)| row.clone()).collect();
    let shows = |record: &Record| record.opening.as_ref().unwrap().disclosed.iter().any(|row| disability.contains(row));
    let mut entered = Vec::new();
    for (steps, decided) in [
        (vec![&new], new_set),
        (vec![&old, &new], new_set),
        (vec![&old, &new, &old], old_set),
        (vec![&new, &old, &new], new_set),
        (vec![&old], old_set),
    ] {
        let rounds = steps.len();
        stage.plan(steps.into_iter().map(|folder| activation(&stage.sandbox, folder)).collect()).await;
        let release = stage.read().await.unwrap();
        stage.took(rounds).await;
        entered.push((release.ledger.index, decided, rounds));
    }
    // The gateway that serves has only the set that is in force now.
    for (index, decided, rounds) in entered {
        let record = stage.record(index).await;
        assert_eq!(record.entry.policy, Some(decided), "{rounds} rounds");
        assert_eq!(shows(&record), decided == old_set, "{rounds} rounds");
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_that_are_not_loaded_let_no_round_decide() {
    let stage = Stage::new().await;
    let (old, new, unknown) = (stage.folder("old", false), stage.folder("new", true), stage.unknown());
    stage.inside.offer(&old);
    stage.inside.offer(&new);
    for steps in [vec![&unknown], vec![&new, &unknown], vec![&new, &old, &unknown]] {
        let rounds = steps.len();
        stage.plan(steps.into_iter().map(|folder| activation(&stage.sandbox, folder)).collect()).await;
        let failure = stage.read().await.unwrap_err();
        assert!(matches!(&failure, Failure::Refused(refusal) if refusal.code == RefusalCode::PolicyMismatch), "{failure:?}");
        stage.took(rounds).await;
        activation(&stage.sandbox, &old).await;
        stage.read().await.unwrap();
    }
    assert_eq!(stage.releases().await, 3, "only those in between");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_ends_before_any_round_is_not_rested_on() {
    let mut stage = Stage::new().await;
    let (old, new) = (stage.folder("old", false), stage.folder("new", true));
    stage.inside.offer(&old);
    stage.inside.offer(&new);
    let mut released = 0;
    for moved in [vec![], vec![&new], vec![&new, &old]] {
        stage.referral = stage.story.refer().await;
        stage.read().await.unwrap();
        released += 1;
        let rounds = moved.len() + 1;
        let mut steps: Vec<Step> = moved.iter().map(|folder| activation(&stage.sandbox, folder)).collect();
        let (story, consent) = (Arc::clone(&stage.story), stage.referral.consent.clone());
        let end = story.sign_end(&consent, None);
        // At the other gateway, which serves the same ledger and knows the published policies only.
        let end = async move { story.register_end(&consent, &end).await.map(|_| ()) };
        let known = moved.len() % 2 == 0;
        if known {
            steps.push(Box::pin(async move { end.await.unwrap() }));
        } else {
            let back = activation(&stage.sandbox, &old);
            steps.push(Box::pin(async move {
                back.await;
                end.await.unwrap();
            }));
        }
        stage.plan(steps).await;
        let failure = stage.read().await.unwrap_err();
        assert!(matches!(&failure, Failure::Refused(refusal) if refusal.code == RefusalCode::ConsentEnded), "{failure:?}");
        stage.took(rounds).await;
    }
    assert_eq!(stage.releases().await, released);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_that_was_reassigned_is_shown_to_its_former_party_no_more() {
    let stage = Stage::new().await;
    let (another, address) = stage.sandbox.serve_another().await;
    let elsewhere = Arc::new(Story::open(&stage.sandbox).await.at(address));
    stage.read().await.unwrap();
    let mut reading = JoinSet::new();
    let read = |number: usize| {
        let (story, path) = (Arc::clone([&stage.story, &elsewhere][number % 2]), format!("/v1/cases/{}", stage.referral.case));
        async move { story.municipality.get(&path, PLACEMENT).await.map(|_| ()).map_err(Setback::code) }
    };
    for number in 0..READS {
        reading.spawn(read(number));
    }
    let mut outcomes = Vec::new();
    while outcomes.len() < READS / 4 {
        outcomes.push(reading.join_next().await.unwrap().unwrap());
    }
    let party = stage.story.municipality.id.clone();
    let (case, from) = stage.inside.reassign(&party, &stage.referral.case).await;
    // Those under way may all have been faster; these are not.
    for number in 0..2 {
        reading.spawn(read(number));
    }
    outcomes.extend(reading.join_all().await);
    let refused = outcomes.iter().filter(|outcome| outcome.as_ref().err().is_some_and(|code| code == "not_found")).count();
    let ledger = stage.newest().await;
    let right = Right::Case { case, party };
    let rested = resting_on(&ledger.records, &right).len();
    eprintln!("{rested} releases before a case was reassigned among {READS} reads at two gateways, {refused} refused behind it");
    assert!(rested > 1 && refused > 0, "it was not reassigned in the middle: {outcomes:?}");
    assert_eq!(breaches(&ledger.records, &[Lapse { right, from, until: None }]), Vec::<u64>::new());
    another.stop().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_steps_back_or_forward_changes_no_order_and_revives_nothing() {
    let mut stage = Stage::new().await;
    let began = present();
    let mut given = stage.story.consent();
    given.exp = tsunagi::domain::time::Timestamp::from_secs(began.secs() + 100);
    let expires = given.exp;
    stage.referral = stage.story.refer_under(stage.story.sign_consent(&given)).await.referral;
    let clock = Arc::clone(&stage.inside.clock);
    clock.set(present());
    stage.read().await.unwrap();

    // Forward, behind the end of the consent: it has ended, and that is recorded at that time.
    clock.set(expires.plus_secs(1));
    let failure = stage.read().await.unwrap_err();
    assert!(matches!(&failure, Failure::Refused(refusal) if refusal.code == RefusalCode::ConsentEnded), "{failure:?}");

    // Back: for the clock it has not ended, for the ledger it has. Nothing is shown.
    for back in [30, 0, 20] {
        clock.set(began.plus_secs(back));
        let failure = stage.read().await.unwrap_err();
        assert!(failure.passes(), "{failure:?}");
    }
    clock.set(expires.plus_secs(2));
    stage.read().await.unwrap_err();

    let ledger = stage.newest().await;
    let times: Vec<_> = ledger.records.iter().map(|record| record.entry.time).collect();
    assert!(times.is_sorted_by(|earlier, later| earlier < later), "the order changed");
    // The other gateway's clock stands behind the ledger by then, which it records for itself.
    let skewed = |record: &&Record| record.entry.entry_type == EntryType::ClockSkew && record.entry.gateway.node == "inside";
    let skewed = ledger.records.iter().filter(skewed).count();
    let late: Vec<_> = ledger.records.iter().filter(|r| r.entry.entry_type == EntryType::Release && r.entry.time >= expires).collect();
    assert_eq!((skewed, late.len()), (1, 0), "{late:?}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_is_never_counted_while_everybody_else_waits_for_the_ledger() {
    let stage = Stage::new().await;
    let ask = || stage.inside.statistics(&stage.story.municipality, YEAR);
    // Each takes a right away, so that what was counted before it is counted again.
    let mut ends: Vec<Step> = Vec::new();
    for _ in 0..3 {
        let referral = stage.story.refer().await;
        let story = Arc::clone(&stage.story);
        let end = story.sign_end(&referral.consent, None);
        ends.push(Box::pin(async move { story.register_end(&referral.consent, &end).await.map(drop).unwrap() }));
    }
    let once = ends.split_off(2);
    stage.plan(ends).await;
    let failure = ask().await.unwrap_err();
    assert!(matches!(failure, Failure::Ledger(LedgerError::Unavailable)), "{failure:?}");
    stage.took(2).await;
    let counted = stage.ledger().await.records.iter().filter(|record| record.entry.operation == Operation::StatisticsRead).count();
    assert_eq!(counted, 0, "nothing was published");

    // A year that moves once is counted twice; asked for again, it is what stands in the ledger.
    stage.plan(once).await;
    let made = ask().await.unwrap();
    stage.took(3).await;
    assert_eq!((made.statistics.year, ask().await.unwrap().statistics == made.statistics), (YEAR, true));
    stage.close().await;
}

/// A gateway that serves, and one inside on the same ledger.
struct Stage {
    sandbox: Sandbox,
    server: Server,
    story: Arc<Story>,
    referral: Referral,
    inside: Inside,
}

impl Stage {
    async fn new() -> Self {
        let sandbox = Sandbox::new(Settings { log: "warn", ..Settings::default() });
        let server = sandbox.serve().await;
        let story = Arc::new(Story::open(&sandbox).await);
        let referral = story.refer().await;
        let inside = Inside::open(&sandbox).await;
        Self { sandbox, server, story, referral, inside }
    }

    /// The published policies in a folder, perhaps narrowed. Not narrowed, they are those in force.
    fn folder(&self, name: &str, narrowed: bool) -> PathBuf {
        let folder = self.sandbox.path().join(name);
        policies::copy_published(&folder);
        if narrowed {
            policies::narrow(&folder);
        }
        folder
    }

    /// A set that the gateway inside does not get to see.
    fn unknown(&self) -> PathBuf {
        let folder = self.folder("unknown", true);
        std::fs::write(folder.join("60_more.cedar"), "// another set\n").unwrap();
        folder
    }

    async fn plan(&self, steps: Vec<Step>) {
        self.inside.plan(steps).await;
    }

    /// Every step of the plan was taken, each before a round.
    async fn took(&self, rounds: usize) {
        let (taken, left) = self.inside.taken().await;
        assert!(taken >= rounds && !left, "{taken} steps were taken");
    }

    async fn read(&self) -> Result<tsunagi::gateway::Release, Failure> {
        self.inside.read(&self.story.municipality, &self.referral.case, BENEFIT).await
    }

    async fn record(&self, index: u64) -> Record {
        self.ledger().await.records.remove(usize::try_from(index).unwrap())
    }

    async fn ledger(&self) -> Ledger {
        let ledger = self.newest().await;
        assert_eq!(breaches(&ledger.records, &told_by(&ledger.records)), Vec::<u64>::new());
        ledger
    }

    /// The whole ledger. What the gateway inside appended is covered once the one that serves appends.
    async fn newest(&self) -> Ledger {
        self.story.auditor.json("/v1/audit/events?limit=1", Purpose::AuditReview).await.unwrap();
        Ledger::read(&self.story.auditor).await
    }

    async fn releases(&self) -> usize {
        let released = |record: &&Record| record.entry.entry_type == EntryType::Release && record.entry.decision == Outcome::Permit;
        self.ledger().await.records.iter().filter(released).count()
    }

    async fn close(self) {
        self.inside.close().await;
        self.server.stop().await;
    }
}

const READS: usize = 80;
/// A fiscal year that is over.
const YEAR: u16 = 2024;
