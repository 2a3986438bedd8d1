//! What is tried at a gateway on SQLite while a fault is in place, and what must hold behind it.

use sqlx::Connection as _;
use tokio::time::timeout;

use super::{
    SOON, Sandbox, Settings,
    aftermath::{Aftermath, pause, repeat},
    ledger::{Stored, connect},
    party::Setback,
    process::Server,
    story::{Message, PLACEMENT, Referral, Story},
    told::Told,
};

/// What is tried while a fault is in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    Submit,
    Read,
}

/// A gateway with a case, and everything that anybody was told.
pub(crate) struct Attempts {
    pub(crate) sandbox: Sandbox,
    server: Option<Server>,
    story: Story,
    referral: Referral,
    pub(crate) told: Told,
}

impl Attempts {
    pub(crate) async fn new() -> Self {
        let sandbox = Sandbox::new(Settings { log: "error", ..Settings::default() });
        let server = Some(sandbox.serve().await);
        let story = Story::open(&sandbox).await;
        let sent = story.refer_under(story.sign_consent(&story.consent())).await;
        let mut told = Told::default();
        told.message(&sent.message, &sent.accepted);
        Self { sandbox, server, story, referral: sent.referral, told }
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// A message that was not sent yet.
    pub(crate) async fn message(&self) -> Message {
        let consent = self.story.sign_consent(&self.story.consent());
        self.story.register(&consent).await.unwrap();
        self.story.sign(&self.story.draft(&consent))
    }

    /// Empties SQLite's log, so that the next append begins it anew: its head is written, and file and folder are synced.
    pub(crate) async fn empty_log(&self) {
        let mut connection = connect(&self.sandbox.database()).await;
        let emptied: (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await.unwrap();
        assert_eq!(emptied, (0, 0, 0));
        connection.close().await.unwrap();
    }

    /// Fills SQLite's log with this many further pages, and a few, of a table that comes and goes.
    pub(crate) async fn lengthen_log(&self, pages: usize) {
        let mut connection = connect(&self.sandbox.database()).await;
        let writes = "UPDATE ballast SET n = n + 1;".repeat(pages);
        let all = format!(
            "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF; CREATE TABLE ballast (n INTEGER); INSERT INTO ballast VALUES (0);\
             {writes} DROP TABLE ballast"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(all)).execute(&mut connection).await.unwrap();
        // The last connection to close would move the log; the gateway's are open.
        connection.close().await.unwrap();
    }

    pub(crate) async fn attempt(&mut self, attempt: Attempt, message: &Message) -> Result<(), Setback> {
        match attempt {
            Attempt::Submit => {
                let accepted = self.story.submit(message).await?;
                self.told.message(message, &accepted);
            }
            Attempt::Read => self.told.shown(&self.story.read(&self.referral.case, PLACEMENT).await?),
        }
        Ok(())
    }

    /// The same, where the only answers are that it was done and that the ledger cannot be written now; which of them.
    pub(crate) async fn refused(&mut self, attempt: Attempt, message: &Message) -> bool {
        match self.attempt(attempt, message).await {
            Ok(()) => false,
            Err(Setback::Refused(problem)) => {
                assert_eq!((problem.status, problem.code.as_str()), (503, "ledger_unavailable"), "{}", problem.text);
                true
            }
            Err(Setback::Broken(error)) => panic!("the gateway did not answer: {error}"),
        }
    }

    /// Size of the stored tree, whole and without a gap, that holds whatever was told.
    pub(crate) async fn size(&self) -> usize {
        let stored = Stored::of(&self.sandbox).await;
        assert_eq!(self.told.missing(&stored), Vec::<String>::new());
        stored.leaves.len()
    }

    /// The repetition is answered, with what was there already if it was there.
    pub(crate) async fn unfold(&mut self, attempt: Attempt, message: &Message) {
        let size = self.size().await;
        let again = async {
            while let Err(setback) = self.attempt(attempt, message).await {
                assert!(matches!(&setback, Setback::Refused(problem) if problem.status == 503), "{setback:?}");
                pause().await;
            }
        };
        timeout(SOON, again).await.expect("it goes on");
        assert!(self.size().await <= size + 1);
    }

    /// The gateway has ended where it stood, or does now; it comes back.
    pub(crate) async fn kill(&mut self) {
        self.server.take().unwrap().kill();
        self.server = Some(self.sandbox.serve().await);
    }

    /// The gateway ends in order and comes back.
    pub(crate) async fn restart(&mut self) {
        self.server.take().unwrap().stop().await;
        self.server = Some(self.sandbox.serve().await);
    }

    pub(crate) async fn finish(mut self) {
        repeat(&self.story, &self.told).await;
        Aftermath::of(&self.sandbox, &self.story, &self.told, &[]).await;
        self.server.take().unwrap().stop().await;
    }
}

/// Whether every single step is taken; by default only some are where each costs much.
pub(crate) fn every_step() -> bool {
    std::env::var("TSUNAGI_FAULT_STEPS").as_deref() == Ok("all")
}
